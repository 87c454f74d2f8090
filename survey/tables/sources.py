"""A file's rows as a relation that SQL can select from, and the rows that had to be left out.

What lives here: text and Parquet files, read by DuckDB under column names of our own (`c0`, `c1`, ...), because
two classes may differ in upper and lower case only, which DuckDB takes for one name. What must not: which
column means what (the formats' files).
"""

from __future__ import annotations

import dataclasses
import gzip
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import duckdb

from rpc.errors import FormatUnknown
from schemas.scores import RowProblem
from survey.database import literal
from survey.tables.sniff import ABSENT, TextTable

MAX_PROBLEMS = 1000
_TEXT_BUFFER = 16 << 20
_LONGEST_LINE = 4 << 20
_UNNAMED_COLUMNS = 4
_GLOB = re.compile(r"([*?\[])")
_NOT_CONVERTED = re.compile(r'Could not convert string "(.*)" to', re.DOTALL)
_COLUMN_COUNT = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")


class Source(Protocol):
    """Rows of a file. Columns are told by their position, counted from 0."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names in the file."""

    @property
    def sample(self) -> tuple[tuple[str, ...], ...]:
        """The first rows as text, where that costs nothing."""

    @property
    def first_line(self) -> int:
        """The line at which the first row stands, counted from 1."""

    def is_number(self, column: int, *, half: bool = False) -> bool:
        """Whether a column holds numbers; with `half`, as many of its cells as are numbers may be none."""

    def relation(self, numbers: Collection[int], absent: Sequence[str] = ABSENT) -> str:
        """What stands behind FROM: all columns as `c0`, `c1`, ...; those in `numbers` DOUBLE, the others VARCHAR.

        `absent` are the words that stand for no value where a text has no other way to say it.
        """

    def numbered(self, numbers: Collection[int], absent: Sequence[str] = ABSENT, first_row: int = 0) -> str:
        """As `relation`, with a column `row` more, which counts from `first_row` in the order of the file."""

    def problems(self, cursor: duckdb.DuckDBPyConnection) -> list[RowProblem]:
        """The rows that the last reading on `cursor` left out, at most MAX_PROBLEMS, in their order."""

    def blank_lines(self, count: int) -> Iterator[int]:
        """The blank lines among the first `count` others, counted from 1; a row of several lines counts as one."""


class TextSource:
    """A text table."""

    def __init__(self, table: TextTable) -> None:
        self.table = table
        self.path = table.path
        self.columns = table.columns
        self.sample = table.sample
        self.first_line = table.blank_lines + (2 if table.has_header else 1)

    def is_number(self, column: int, *, half: bool = False) -> bool:
        return self.table.is_number(column, half=half)

    def relation(self, numbers: Collection[int], absent: Sequence[str] = ABSENT) -> str:
        table = self.table
        # A table without a header need not say in its first row how many columns it has.
        count = len(self.columns) if table.has_header else max(_UNNAMED_COLUMNS, len(self.columns))
        kinds = ("DOUBLE" if index in numbers else "VARCHAR" for index in range(count))
        columns = ", ".join(f"'c{index}': '{kind}'" for index, kind in enumerate(kinds))
        return (
            f"read_csv({file_name(self.path)}, auto_detect = false, columns = {{{columns}}}, "
            f"header = {str(table.has_header).lower()}, skip = {table.blank_lines}, "
            f"null_padding = {str(self._may_end_early()).lower()}, "
            f"delim = {literal(table.delimiter)}, {self._quoting()}, nullstr = [{', '.join(map(literal, absent))}], "
            f"encoding = '{table.encoding}', compression = '{'gzip' if table.kind == 'gzip' else 'none'}', "
            f"decimal_separator = '{table.decimal}', "
            f"buffer_size = {_TEXT_BUFFER}, max_line_size = {_LONGEST_LINE}, "
            f"ignore_errors = true, store_rejects = true, rejects_limit = {MAX_PROBLEMS * 3})"
        )

    def numbered(self, numbers: Collection[int], absent: Sequence[str] = ABSENT, first_row: int = 0) -> str:
        relation = self.relation(numbers, absent)
        return f"(SELECT {first_row} + row_number() OVER () - 1 AS row, * FROM {relation})"

    def problems(self, cursor: duckdb.DuckDBPyConnection) -> list[RowProblem]:
        """As in Source. Raises NotUtf8 when a row is no UTF-8, so that the whole is read again as Latin-1."""
        query = "SELECT line, column_name, error_type, error_message FROM reject_errors ORDER BY line, byte_position"
        rejected = cursor.execute(query).fetchall()
        cursor.execute("DROP TABLE reject_errors")  # DuckDB would add those of the next reading
        cursor.execute("DROP TABLE reject_scans")
        by_line: dict[int, RowProblem] = {}
        for line, column, kind, message in rejected:
            if kind == "INVALID ENCODING" and self.table.encoding == "utf-8":
                raise NotUtf8
            if line not in by_line:
                by_line[line] = RowProblem(row=line, message=self._explained(column, message))
        return list(by_line.values())[:MAX_PROBLEMS]

    def blank_lines(self, count: int) -> Iterator[int]:
        line, inside = 1, False
        with gzip.open(self.path) if self.table.kind == "gzip" else self.path.open("rb") as file:
            for text in file:
                if not inside and not text.strip(b"\r\n"):
                    yield line
                    count += 1
                inside ^= self.table.quoted and text.count(b'"') % 2 == 1
                line += not inside
                if line > count:
                    return

    def _may_end_early(self) -> bool:
        """Whether rows may lack their last cells: without a header, or where only the header ends with a tab.

        Raven writes no tabs for the empty cells at the end of a row; its tables are those without quotes.
        """
        return not self.table.has_header or not self.table.quoted or self.columns[-1] == ""

    def _quoting(self) -> str:
        mark = "'\"'" if self.table.quoted else "''"
        return f"quote = {mark}, escape = {mark}"

    def as_latin1(self) -> TextSource:
        """The same file, read in the encoding in which every byte is a character."""
        return TextSource(dataclasses.replace(self.table, encoding="latin-1"))

    def _explained(self, column: str | None, message: str) -> str:
        if (count := _COLUMN_COUNT.search(message)) is not None:
            expected, found = count.groups()
            return f"The row has {found} columns instead of {expected}."
        if (value := _NOT_CONVERTED.search(message)) is not None:
            return f"{value.group(1)!r} in column {self._name_of(column)} is not a number."
        return message.partition("\n")[0]

    def _name_of(self, column: str | None) -> str:
        digits = (column or "").removeprefix("c")
        return repr(self.columns[int(digits)]) if digits.isdigit() else "?"


class NotUtf8(Exception):
    """A text that was taken for UTF-8 holds bytes that are none."""


class ParquetSource:
    """One Parquet file, or several with the same columns, read one after the other."""

    def __init__(self, paths: tuple[Path, ...], cursor: duckdb.DuckDBPyConnection) -> None:
        self.paths = paths
        self.path = paths[0]
        self.sample: tuple[tuple[str, ...], ...] = ()
        self.first_line = 1
        described = _describe(self.path, cursor)
        self.columns = tuple(name for name, _ in described)
        self._types = tuple(kind for _, kind in described)

    def is_number(self, column: int, *, half: bool = False) -> bool:
        return self._types[column] in _NUMBERS or self._types[column].startswith("DECIMAL")

    def relation(self, numbers: Collection[int], absent: Sequence[str] = ABSENT) -> str:
        files = ", ".join(map(file_name, self.paths))
        return f"(SELECT {self._cells(numbers)} FROM read_parquet([{files}]) AS file({self._raw()}))"

    def numbered(self, numbers: Collection[int], absent: Sequence[str] = ABSENT, first_row: int = 0) -> str:
        # Parquet knows the numbers of its rows, so that several threads may read at once.
        if len(self.paths) > 1:
            return f"(SELECT {first_row} + row_number() OVER () - 1 AS row, * FROM {self.relation(numbers, absent)})"
        file = f"read_parquet({file_name(self.path)}, file_row_number = true) AS file({self._raw()}, number)"
        row = f"{first_row} + number" if first_row else "number"  # so that some rows can be found by their numbers
        return f"(SELECT {row} AS row, {self._cells(numbers)} FROM {file})"

    def _raw(self) -> str:
        return ", ".join(f"r{index}" for index in range(len(self.columns)))

    def _cells(self, numbers: Collection[int]) -> str:
        kinds = ["DOUBLE" if index in numbers else "VARCHAR" for index in range(len(self.columns))]
        # What needs no cast can be judged by the statistics in the file.
        return ", ".join(
            f"{f'r{index}' if self._types[index] == kind else f'TRY_CAST(r{index} AS {kind})'} AS c{index}"
            for index, kind in enumerate(kinds)
        )

    def problems(self, _cursor: duckdb.DuckDBPyConnection) -> list[RowProblem]:
        return []

    def blank_lines(self, count: int) -> Iterator[int]:
        return iter(())


_NUMBERS = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
    "FLOAT", "DOUBLE",
}  # fmt: skip


def file_name(path: Path) -> str:
    """`path` as DuckDB reads it: a string in which the marks of patterns stand for themselves."""
    return literal(_GLOB.sub(r"[\1]", str(path)))


def _describe(path: Path, cursor: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Names and types of the columns, the names as they stand in the file."""
    name = file_name(path)
    try:
        # parquet_schema gives names untouched; DESCRIBE numbers those that differ in case only.
        names: list[Any] = cursor.execute(
            f"SELECT name FROM parquet_schema({name}) WHERE num_children IS NULL OR num_children = 0"
        ).fetchall()
        kinds = cursor.execute(f"DESCRIBE SELECT * FROM read_parquet({name})").fetchall()
    except duckdb.Error as error:
        hint = "It may have been cut off while it was copied or written: copy or export it again."
        raise FormatUnknown(f"{path.name} is a damaged Parquet file.", path=path, hint=hint) from error
    if len(names) != len(kinds):  # nested columns: no table of scores has them
        return [(row[0], row[1]) for row in kinds]
    return [(row[0], kind[1]) for row, kind in zip(names, kinds, strict=True)]
