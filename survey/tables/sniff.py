"""What a table file looks like: its kind, delimiter, encoding and columns, seen from its first rows.

What lives here: looking at the beginning of one file. What must not: which format the columns mean
(detect.py), reading the rest (sources.py).

Nothing is ever unpickled: a pickle can run code, and is refused with a hint how to convert it.
"""

from __future__ import annotations

import codecs
import csv
import dataclasses
import gzip
import io
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rpc.errors import FormatUnknown, from_os_error

Encoding = Literal["utf-8", "latin-1"]
Kind = Literal["text", "gzip", "parquet"]

_PARQUET, _GZIP = b"PAR1", b"\x1f\x8b"
_LOOK = 4096
_FIRST_READ = 1 << 20
_LONGEST_HEADER = 32 << 20
_SAMPLE_ROWS = 200
_PICKLE_ENDINGS = {".pkl", ".pickle", ".p"}
_RAVEN_OR_LABELS = re.compile(r"\s*(selection\t|-?\d+([.,]\d+)?\t)", re.IGNORECASE)
"""Raven and Audacity write tabs and never quote: a quote is a character like others."""
_COMMA_NUMBER = re.compile(r"[-+]?\d+,\d+([eE][-+]?\d+)?")
_POINT_NUMBER = re.compile(r"[-+]?\d+\.\d+([eE][-+]?\d+)?")
_CONTROL = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]")
_LINE_END = re.compile(r"\r\n|\r|\n")
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
ABSENT = ("", "NA", "N/A", "<NA>", "None", "NULL", "null")
"""Cells that stand for no value. NaN is a number that is no number, and comes in as NaN."""


@dataclass(frozen=True, slots=True)
class TextTable:
    """A text file. `sample` holds the first rows below the header; a short row ends early.

    `quoted`: quotes are marks around cells. `blank_lines` stand above the header. Without a header, `columns` are the
    cells of the first row, with which the sample then begins.
    """

    path: Path
    kind: Literal["text", "gzip"]
    encoding: Encoding
    delimiter: str
    columns: tuple[str, ...]
    sample: tuple[tuple[str, ...], ...]
    quoted: bool = True
    decimal: Literal[".", ","] = "."
    has_header: bool = True
    blank_lines: int = 0

    def without_header(self) -> TextTable:
        """The same file, whose first row is a row like the others."""
        return dataclasses.replace(self, sample=(self.columns, *self.sample), has_header=False)

    def is_number(self, column: int, *, half: bool = False) -> bool:
        """Whether the sample holds numbers (and empty cells) in `column`, counted from 0.

        More than half of the cells must be numbers; with `half`, as many as are none will do.
        """
        cells = [row[column].strip() for row in self.sample if column < len(row)]
        filled = [cell for cell in cells if cell not in ABSENT]
        wrong = sum(1 for cell in filled if not _is_number(cell.replace(self.decimal, ".")))
        # A column with a few damaged cells is still one of numbers; its bad rows are told one by one.
        return wrong * 2 < max(len(filled), 1) or (half and wrong * 2 == len(filled))


def kind_of(path: Path) -> Kind:
    """What sort of file `path` is, by its first bytes.

    Raises
    ------
    FormatUnknown
        It is empty, a pickle, or binary.
    FileMissing, PermissionRefused
        It cannot be read.
    """
    start = _first_bytes(path, _LOOK)
    if start.startswith(_PARQUET):
        return "parquet"
    if start.startswith(_GZIP):
        return "gzip"
    _refuse_binary(path, start)
    return "text"


def _refuse_binary(path: Path, start: bytes) -> None:
    """Raise FormatUnknown unless text begins with `start`."""
    if path.suffix.lower() in _PICKLE_ENDINGS or (start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05"):
        hint = f'Convert it once, in Python: pandas.read_pickle("{path.name}").to_csv("{path.stem}.csv")'
        raise FormatUnknown(
            f"{path.name} is a pickle. Opening one can run any program, so it is not opened.", path=path, hint=hint
        )
    if not start.removeprefix(codecs.BOM_UTF8).strip():
        raise FormatUnknown(f"{path.name} is empty.", path=path, hint="Was it written to its end? Export it again.")
    if start.startswith(_UTF16_MARKS):
        raise FormatUnknown(f"{path.name} is UTF-16 text.", path=path, hint="Save it as UTF-8.")
    if b"\0" in start or len(_CONTROL.findall(start)) * 50 > len(start) or start.startswith((_PARQUET, _GZIP)):
        hint = "Tables are CSV, tab-separated text, either of them gzipped, or Parquet. Export it as one of these."
        raise FormatUnknown(f"{path.name} is a binary file, not a table of scores.", path=path, hint=hint)


def sniff_text(path: Path, kind: Literal["text", "gzip"]) -> TextTable:
    """The dialect, columns and first rows of a text table.

    Raises
    ------
    FormatUnknown
        It has no header row.
    """
    start, whole = _beginning(path, kind)
    _refuse_binary(path, start[:_LOOK])  # what was gzipped may be anything
    text, encoding = _decoded(start, whole=whole)
    above, header = _header_of(text)
    quoted = _RAVEN_OR_LABELS.match(header) is None
    delimiter = max((",", ";", "\t"), key=lambda mark: _cells_in(header, mark)) if quoted else "\t"
    rows = _rows(text, delimiter, quoted=quoted, whole=whole)
    if not rows or not any(name.strip() for name in rows[0]):
        raise FormatUnknown(f"{path.name} has no header row.", path=path)
    columns, sample = tuple(name.strip() for name in rows[0]), tuple(tuple(row) for row in rows[1:])
    decimal = _decimal_mark(delimiter, sample)
    return TextTable(path, kind, encoding, delimiter, columns, sample, quoted, decimal, blank_lines=above)


def _header_of(text: str) -> tuple[int, str]:
    """How many blank lines `text` begins with, and the line after them."""
    body = text.lstrip("\r\n")
    return len(_LINE_END.findall(text[: len(text) - len(body)])), _LINE_END.split(body, maxsplit=1)[0]


def _first_bytes(path: Path, count: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise from_os_error(error, path, "read") from error


def _beginning(path: Path, kind: Literal["text", "gzip"]) -> tuple[bytes, bool]:
    """The first megabyte, or more until the header is in it; and whether that is the whole file."""
    try:
        with gzip.open(path) if kind == "gzip" else path.open("rb") as file:
            start = file.read(_FIRST_READ)
            while b"\n" not in start and len(start) < _LONGEST_HEADER and (more := file.read(_FIRST_READ)):
                start += more
            return start, len(start) < _FIRST_READ
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        hint = "It may have been cut off while it was copied: copy or download it again."
        raise FormatUnknown(f"{path.name} is a damaged gzip file.", path=path, hint=hint) from error
    except OSError as error:
        raise from_os_error(error, path, "read") from error


def _decoded(start: bytes, *, whole: bool) -> tuple[str, Encoding]:
    try:
        # What comes after the first megabyte may cut a character in two, hence incremental.
        return codecs.getincrementaldecoder("utf-8-sig")().decode(start, whole), "utf-8"
    except UnicodeDecodeError:
        return start.decode("latin-1"), "latin-1"


def _rows(text: str, delimiter: str, *, quoted: bool, whole: bool) -> list[list[str]]:
    """The header and the first rows; blank lines are passed over, and a last row that may be cut is left out."""
    rows: list[list[str]] = []
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) > _SAMPLE_ROWS + 1:
                break
    except csv.Error:
        pass  # an odd row: DuckDB will tell which
    if not whole and 1 < len(rows) <= _SAMPLE_ROWS + 1:
        rows.pop()
    return rows[: _SAMPLE_ROWS + 1]


def _cells_in(line: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:  # a cell of more than 131,072 characters: the line has other delimiters
        return 1


def _decimal_mark(delimiter: str, sample: tuple[tuple[str, ...], ...]) -> Literal[".", ","]:
    """Where commas are decimal marks, semicolons or tabs stand between cells; a comma in one cell of many is none."""
    if delimiter == ",":
        return "."
    cells = [cell.strip() for row in sample for cell in row]
    commas = sum(1 for cell in cells if _COMMA_NUMBER.fullmatch(cell))
    points = sum(1 for cell in cells if _POINT_NUMBER.fullmatch(cell))
    return "," if commas > points else "."


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
