"""survey.tables: how programs and spreadsheets vary a table's text; what is told of one that cannot be read."""

from __future__ import annotations

import csv
import gzip
import io
import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from rpc.cancel import CancelToken
from rpc.errors import FormatUnknown, RequestFailed
from survey.tables.store import StoredTable, TableStore
from tests.survey.tables.long_rows import long_rows

DENSE = "file,start_time,end_time,owl,toad\n/a.wav,0.0,5.0,1.5,-2.25\n/b.wav,5.0,10.5,,0.5\n"
SPARSE = "file,start_time,end_time,class,score\n/a.wav,0.0,5.0,owl,1.5\n/a.wav,0.0,5.0,toad,-2.25\n"
BIRDNET = (
    "Start (s),End (s),Scientific name,Common name,Confidence,File\n"
    '3.0,6.5,Setophaga pusilla,"Warbler, Wilson\'s",0.875,/data/a.wav\n'
)
RAVEN = "Selection\tView\tBegin Time (s)\tEnd Time (s)\tSpecies\n1\tSpectrogram 1\t1.5\t4.25\towl\n"
LABELS = "3.0\t6.5\towl\t0.875\n\\\t1200.5\t8000.0\n7.5\t8.5\ttoad 50%\n"
TABLES = {"dense": DENSE, "sparse": SPARSE, "birdnet": BIRDNET, "raven": RAVEN, "labels": LABELS}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TableStore]:
    store = TableStore(tmp_path / "cache")
    yield store
    store.close_all()


def load(store: TableStore, path: Path, content: str | bytes) -> StoredTable:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return store.open(path, "auto", CancelToken())


def rows(store: TableStore, table: StoredTable) -> Sequence[tuple[object, ...]]:
    """Times and scores of a table of either kind, by class."""
    schema, content = table.schema, table.content
    if not content.wide:
        return [row for _, row, _ in long_rows(table)]
    scores = [(summary.name, f"s{index}") for index, summary in enumerate(content.classes)]
    queries = [f'SELECT path, "start", "end", \'{n}\', {c} FROM {schema}.clips' for n, c in sorted(scores)]
    with store.cursor() as cursor:
        return [row for query in queries for row in cursor.execute(query).fetchall()]


def rewritten(content: str, delimiter: str, *, reverse: bool = False, quoting: int = csv.QUOTE_MINIMAL) -> str:
    lines = list(csv.reader(io.StringIO(content), delimiter="\t" if "\t" in content else ","))
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator="\n")  # type: ignore[arg-type]
    writer.writerows(reversed(line) if reverse else line for line in lines)
    return text.getvalue()


def with_decimal_commas(content: str) -> str:
    separated = content if "\t" in content else rewritten(content, ";")
    return "".join("," if c == "." and separated[i - 1 : i].isdigit() else c for i, c in enumerate(separated))


VARIATIONS: dict[str, Callable[[str], str | bytes]] = {
    "gzip": lambda content: gzip.compress(content.encode()),
    "carriage returns alone": lambda content: content.replace("\n", "\r"),
    "blank lines around": lambda content: f"\n\n{content}\n\n",
    "decimal commas": with_decimal_commas,
    "semicolons": lambda content: content if "\t" in content else rewritten(content, ";"),
    "tabs": lambda content: content if "\t" in content else rewritten(content, "\t"),
    "all quoted": lambda content: content if "\t" in content else rewritten(content, ",", quoting=csv.QUOTE_ALL),
    "columns from right to left": lambda content: (
        content if content == LABELS else rewritten(content, "\t" if "\t" in content else ",", reverse=True)
    ),
}


@pytest.mark.parametrize("vary", VARIATIONS.values(), ids=VARIATIONS.keys())
def test_a_variation_loads_as_the_same(store: TableStore, tmp_path: Path, vary: Callable[[str], str | bytes]) -> None:
    for name, content in TABLES.items():
        plain = load(store, tmp_path / "plain" / name, content)
        varied = load(store, tmp_path / "varied" / name, vary(content))

        assert rows(store, varied) == rows(store, plain)
        assert varied.content.format == plain.content.format
        assert varied.content.problems == ()


def test_a_comma_in_a_label_is_no_decimal_mark(store: TableStore, tmp_path: Path) -> None:
    table = load(store, tmp_path / "r.txt", RAVEN.replace("owl", "3,5"))

    assert rows(store, table) == [("r", 1.5, 4.25, "3,5", 1)]


def test_offsets_of_chirpity_may_be_clock_times(store: TableStore, tmp_path: Path) -> None:
    header = "File,Detection start,Detection end,Common name,Latin name,Confidence,File offset\n"
    found = [f"/a.wav,2024-05-12 05:30:03,2024-05-12 05:30:06,,owl,0.5,{at}\n" for at in ("00:03", "1:02:03.5", "?")]

    table = load(store, tmp_path / "c.csv", header + "".join(found))

    assert [row[1:3] for row in rows(store, table)] == [(3, 6), (3723.5, 3726.5)]
    assert [(p.row, p.message) for p in table.content.problems] == [(4, "The row for /a.wav has no times.")]


HEADER = "file,start_time,end_time,owl\n"
GOOD, NO_NUMBER, NO_FILE, NO_TIMES, ENDLESS = (
    "/a.wav,0,3,1\n",
    "/a.wav,0,3,x\n",
    ",0,3,1\n",
    "/b.wav,,,\n",
    "/a.wav,0,inf,1\n",
)
LINES: dict[str, tuple[str, list[int]]] = {
    "blank lines between": (HEADER + GOOD + "\n\n" + NO_NUMBER + NO_FILE + "\n" + NO_TIMES, [5, 6, 8]),
    "blank lines above": ("\n\n" + HEADER + GOOD + "\n" + NO_NUMBER + ENDLESS, [6, 7]),
    "a row of several lines": (HEADER + '"/a\n\nb.wav",0,3,1\n\n' + NO_NUMBER + NO_FILE, [4, 5]),
}  # fmt: skip


@pytest.mark.parametrize(("content", "lines"), LINES.values(), ids=LINES.keys())
def test_bad_rows_are_told_as_a_spreadsheet_numbers_them(
    store: TableStore, tmp_path: Path, content: str, lines: list[int]
) -> None:
    for varied in (content, content.replace("\n", "\r\n"), gzip.compress(content.encode())):
        table = load(store, tmp_path / "s.csv", varied)

        assert [problem.row for problem in table.content.problems] == lines
        assert table.content.clip_count == 1
        store.close(table)


def test_times_of_whole_files_are_numbers(store: TableStore, tmp_path: Path) -> None:
    [row] = rows(store, load(store, tmp_path / "s.csv", "file,owl\n/a.wav,1\n"))

    assert [type(value) for value in row[1:3]] == [float, float]


REFUSED: dict[str, tuple[str | bytes, str, str]] = {
    "a header alone": (HEADER, "a header, but no rows.*`file`, `start_time`, `end_time`, `owl`", "stopped too early"),
    "a header of whole files": ("file,owl\n", "a header, but no rows.*`file`, `owl`", "stopped too early"),
    "a header of detections": (BIRDNET.partition("\n")[0] + "\n", "a header, but no rows.*`Confidence`", "Nothing was"),
    "no numbers": ("file,start_time,end_time,owl\n\n/a.wav,0,5,87%\n", "row 3, column `owl`, it reads '87%'", "0.87"),
    "a class twice": ("file,start_time,end_time,owl,x,owl\n/a,0,5,1,2,3\n", r"`owl` \(columns 4 and 6\)", "Rename"),
    "empty but for a mark": ("\ufeff\n", "is empty", "Export it again"),
    "binary without zeros": (bytes(range(1, 256)) * 9, "a binary file", "Parquet"),
    "gzipped twice": (gzip.compress(gzip.compress(DENSE.encode() * 50)), "a binary file", "Parquet"),
    "a gzipped pickle": (gzip.compress(pickle.dumps({"a": 1})), "is a pickle", "read_pickle"),
    "a gzip file cut off": (gzip.compress(DENSE.encode() * 5)[:40], "damaged gzip", "copy or download it again"),
    "Parquet cut off": (b"PAR1" + b"\x15\x04" * 50, "damaged Parquet", "copy or export it again"),
}


@pytest.mark.parametrize(("content", "words", "advice"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_read_is_refused_with_the_place_and_what_to_do(
    store: TableStore, tmp_path: Path, content: str | bytes, words: str, advice: str
) -> None:
    with pytest.raises(FormatUnknown, match=rf"t\.csv.*{words}") as caught:
        load(store, tmp_path / "t.csv", content)

    assert caught.value.path == str(tmp_path / "t.csv")
    assert advice in str(caught.value.hint)


def test_a_table_that_changes_while_it_is_read_is_refused(store: TableStore, tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(HEADER + GOOD)

    class Meddling(CancelToken):
        """Appends to the file each time that it is asked whether to go on."""

        def raise_if_cancelled(self) -> None:
            with path.open("a") as file:
                file.write(GOOD)

    with pytest.raises(RequestFailed, match=r"s\.csv changed while it was being read") as caught:
        store.open(path, "auto", Meddling())

    assert caught.value.hint == "Load it again."
    assert not [file for file in (tmp_path / "cache").iterdir() if file.suffix == ".duckdb"]
