"""survey.tables: files of scores, as users bring them, opened and read."""

from __future__ import annotations

import gzip
import os
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rpc.cancel import CancelToken
from rpc.errors import FileMissing, FormatUnknown, RequestCancelled
from survey.tables.detect import Wanted
from survey.tables.store import StoredTable, TableStore

DENSE = "file,start_time,end_time,owl,toad\n/a.wav,0,5,1.5,-2\n/a.wav,5,10,0.5,3\n/b.wav,0,5,,7\n"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TableStore]:
    store = TableStore(tmp_path / "cache")
    yield store
    store.close_all()


def load(store: TableStore, path: Path, content: str | bytes, wanted: Wanted = "auto") -> StoredTable:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return store.open(path, wanted, CancelToken())


def rows(store: TableStore, table: StoredTable, what: str = "*") -> list[tuple[object, ...]]:
    with store.cursor() as cursor:
        found: list[tuple[object, ...]] = cursor.execute(
            f"SELECT {what} FROM {table.schema}.clips ORDER BY ALL"
        ).fetchall()
        return found


def test_a_dense_table_comes_in_with_its_rows_and_classes(store: TableStore, tmp_path: Path) -> None:
    table = load(store, tmp_path / "s.csv", DENSE)

    assert (table.content.format, table.content.layout) == ("opensoundscape", "dense")
    assert (table.content.clip_count, table.content.file_count) == (3, 2)
    owl, toad = table.content.classes
    assert (owl.name, owl.count, owl.min, owl.max, owl.mean) == ("owl", 2, 0.5, 1.5, 1.0)
    assert (toad.name, toad.count, toad.min, toad.max) == ("toad", 3, -2, 7)
    assert rows(store, table) == [
        (0, "/a.wav", 0, 5, 1.5, -2), (1, "/a.wav", 5, 10, 0.5, 3), (2, "/b.wav", 0, 5, None, 7),
    ]  # fmt: skip
    assert table.content.problems == ()


SAME = {
    "other order": "owl,end_time,toad,file,start_time\n1.5,5,-2,/a.wav,0\n0.5,10,3,/a.wav,5\n,5,7,/b.wav,0\n",
    "byte order mark and CRLF": "\ufeff" + DENSE.replace("\n", "\r\n"),
    "semicolons": DENSE.replace(",", ";"),
    "tabs": DENSE.replace(",", "\t"),
    "decimal commas": DENSE.replace(",", ";").replace("1.5", "1,5").replace("0.5", "0,5"),
    "quotes": DENSE.replace("/a.wav", '"/a.wav"').replace("owl", '"owl"'),
    "capitals": DENSE.replace("file,start_time", "File,Start_Time"),
    "spaces": DENSE.replace(",1.5,", ", 1.5 ,"),
    "no last newline": DENSE.rstrip("\n"),
    "blank last lines": DENSE + "\n\n",
    "an index": "\n".join(f"{i - 1 if i else ''},{line}" for i, line in enumerate(DENSE.splitlines())),
    "NA": DENSE.replace("5,,7", "5,NA,7"),
}


@pytest.mark.parametrize("content", SAME.values(), ids=SAME.keys())
def test_the_same_table_written_differently(store: TableStore, tmp_path: Path, content: str) -> None:
    table = load(store, tmp_path / "s.csv", content)

    assert [summary.name for summary in table.content.classes] == ["owl", "toad"]
    assert rows(store, table, 'path, "start", "end", s0, s1') == [
        ("/a.wav", 0, 5, 1.5, -2), ("/a.wav", 5, 10, 0.5, 3), ("/b.wav", 0, 5, None, 7),
    ]  # fmt: skip
    assert table.content.problems == ()


def test_gzip(store: TableStore, tmp_path: Path) -> None:
    table = load(store, tmp_path / "s.csv.gz", gzip.compress(DENSE.encode()))

    assert table.content.clip_count == 3


def test_rows_that_cannot_be_read_are_told_by_line_and_the_rest_loads(store: TableStore, tmp_path: Path) -> None:
    content = (
        "file,start_time,end_time,owl,toad\n"
        "/a.wav,0,5,1,2\n"
        "/a.wav,5,10,oops,2\n"  # line 3
        "/bad.wav,,,,\n"  # line 4
        "/a.wav,10\n"  # line 5
        "/a.wav,15,20,1,2,3\n"  # line 6
        "/a.wav,25,20,1,2\n"  # line 7
        ",20,25,1,2\n"  # line 8
        "/a.wav,30,35,1,2\n"
    )

    table = load(store, tmp_path / "s.csv", content)

    assert table.content.clip_count == 2
    told = {problem.row: problem.message for problem in table.content.problems}
    assert sorted(told) == [3, 4, 5, 6, 7, 8]
    assert "'oops' in column 'owl'" in told[3]
    assert "/bad.wav has no times" in told[4]
    assert "2 columns instead of 5" in told[5]
    assert "6 columns instead of 5" in told[6]
    assert "25 to 20 s" in told[7]
    assert "no recording" in told[8]


def test_latin1_is_read_also_when_it_shows_late_in_the_file(store: TableStore, tmp_path: Path) -> None:
    lines = ["file,start_time,end_time,owl", *(f"/{i}.wav,0,5,{i}" for i in range(100_000)), "/Zürich.wav,0,5,1"]

    early = load(store, tmp_path / "early.csv", "file,start_time,end_time,Kätzchen\n/ü.wav,0,5,1\n".encode("latin-1"))
    late = load(store, tmp_path / "late.csv", "\n".join(lines).encode("latin-1"))

    assert early.content.classes[0].name == "Kätzchen"
    assert rows(store, early, "path") == [("/ü.wav",)]
    assert late.content.clip_count == 100_001
    assert ("/Zürich.wav",) in rows(store, late, "path")
    assert late.content.problems == ()


def test_odd_names_stay_as_they_are(store: TableStore, tmp_path: Path) -> None:
    names = ["Wilson's", 'say "ti"', "Owl", "owl", "猫頭鷹 🦉", "a,b", "row", "x" * 300]
    header = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    path = "/it's [1]*/ä 🦉.wav"

    table = load(store, tmp_path / "s.csv", f"file,start_time,end_time,{header}\n{path},0,5,1,2,3,4,5,6,7,8\n")

    assert [summary.name for summary in table.content.classes] == names
    assert [summary.max for summary in table.content.classes] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert rows(store, table, "path") == [(path,)]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(store: TableStore, tmp_path: Path) -> None:
    (tmp_path / "s1.csv").write_text(DENSE)

    table = load(store, tmp_path / "s[1]*'.csv", DENSE + "/c.wav,0,5,1,1\n")

    assert table.content.clip_count == 4


def test_nan_and_infinities_are_kept_apart_from_numbers(store: TableStore, tmp_path: Path) -> None:
    scores = ("nan", "inf", "-inf", "1", "3")
    content = "file,start_time,end_time,owl\n" + "".join(f"/{i}.wav,0,5,{score}\n" for i, score in enumerate(scores))

    owl = load(store, tmp_path / "s.csv", content).content.classes[0]

    assert (owl.count, owl.min, owl.max, owl.mean) == (4, 1, 3, 2)


def test_a_column_of_words_is_left_out_and_told(store: TableStore, tmp_path: Path) -> None:
    table = load(store, tmp_path / "s.csv", "file,start_time,end_time,owl,comment\n/a.wav,0,5,1,nice\n/a.wav,5,10,1,\n")

    assert [summary.name for summary in table.content.classes] == ["owl"]
    assert "`comment`" in table.content.problems[0].message


def test_a_table_without_times_is_one_of_whole_files(store: TableStore, tmp_path: Path) -> None:
    table = load(store, tmp_path / "s.csv", "recording,owl,toad\na.wav,1,2\nb.wav,3,4\n")

    assert table.content.format == "simple"
    assert rows(store, table, 'path, "start", "end", s0') == [("a.wav", 0, 0, 1), ("b.wav", 0, 0, 3)]


SPARSE = "file,start_time,end_time,class,score\n/a.wav,0,3,owl,0.5\n/a.wav,0,3,toad,0.9\n/b.wav,3,6,owl,0.7\n"


def test_a_sparse_table_has_a_row_per_score(store: TableStore, tmp_path: Path) -> None:
    table = load(store, tmp_path / "s.csv", SPARSE + "/b.wav,3,6,,0.7\n")

    assert (table.content.format, table.content.layout) == ("sparse", "sparse")
    assert (table.content.clip_count, table.content.file_count) == (2, 2)
    assert [(s.name, s.count, s.max) for s in table.content.classes] == [("owl", 2, 0.7), ("toad", 1, 0.9)]
    assert [problem.row for problem in table.content.problems] == [5]


def test_parquet_of_both_layouts(store: TableStore, tmp_path: Path) -> None:
    for name, content in (("dense", DENSE), ("sparse", SPARSE)):
        (tmp_path / f"{name}.csv").write_text(content)
        with store.cursor() as cursor:
            source, target = tmp_path / f"{name}.csv", tmp_path / f"{name}.parquet"
            cursor.execute(f"COPY (SELECT * FROM read_csv('{source}')) TO '{target}' (FORMAT parquet)")

    dense = store.open(tmp_path / "dense.parquet", "auto", CancelToken())
    sparse = store.open(tmp_path / "sparse.parquet", "auto", CancelToken())

    assert (dense.content.format, dense.content.clip_count) == ("opensoundscape", 3)
    assert dense.content.classes == load(store, tmp_path / "again.csv", DENSE).content.classes
    assert (sparse.content.format, sparse.content.clip_count) == ("sparse", 2)


REFUSED: dict[str, tuple[str, bytes, str]] = {
    "empty": ("s.csv", b"", "is empty"),
    "blank": ("s.csv", b" \n \n", "is empty"),
    "a header alone": ("s.csv", b"file,start_time,end_time,owl\n", "no rows"),
    "no numbers": ("s.csv", b"file,start_time,end_time,note\n/a.wav,0,5,x\n", "no column of numbers"),
    "no classes": ("s.csv", b"file,start_time,end_time\n/a.wav,0,5\n", "no column of numbers"),
    "a class twice": ("s.csv", b"file,start_time,end_time,owl,owl\n/a.wav,0,5,1,2\n", "more than once: `owl`"),
    "unknown columns": ("s.csv", b"name,place\nann,here\n", "`name`, `place`"),
    "binary": ("s.csv", b"RIFF\x00\x00\x01\x02WAVEfmt " * 9, "binary"),
    "a pickle": ("s.pkl", pickle.dumps({"a": 1}), "is a pickle"),
    "a pickle in disguise": ("s.csv", pickle.dumps({"a": 1}), "is a pickle"),
    "truncated Parquet": ("s.parquet", b"PAR1" + b"\x15\x04" * 50, "damaged Parquet"),
    "damaged gzip": ("s.csv.gz", b"\x1f\x8b\x08\x00garbage", "damaged gzip"),
    "UTF-16": ("s.csv", DENSE.encode("utf-16"), "UTF-16"),
    "no row can be read": ("s.csv", b"file,start_time,end_time,owl\n/a.wav,,,\n", "No row.*/a.wav has no times"),
}


@pytest.mark.parametrize(("name", "content", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_table_is_refused_with_the_reason(
    store: TableStore, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    with pytest.raises(FormatUnknown, match=words) as caught:
        load(store, tmp_path / name, content)

    assert caught.value.path == str(tmp_path / name)


def test_a_pickle_is_refused_with_a_way_to_convert_it(store: TableStore, tmp_path: Path) -> None:
    with pytest.raises(FormatUnknown) as caught:
        load(store, tmp_path / "sparse_preds.pkl", b"anything")

    assert 'read_pickle("sparse_preds.pkl").to_csv("sparse_preds.csv")' in str(caught.value.hint)


def test_nothing_there_and_a_folder_that_is_no_job(store: TableStore, tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        store.open(tmp_path / "none.csv", "auto", CancelToken())
    with pytest.raises(FormatUnknown, match="neither that of a job"):
        store.open(tmp_path, "auto", CancelToken())


def test_a_format_that_was_asked_for_but_does_not_fit(store: TableStore, tmp_path: Path) -> None:
    with pytest.raises(FormatUnknown, match="`sparse`"):
        load(store, tmp_path / "s.csv", DENSE, "sparse")


def test_ten_thousand_classes(store: TableStore, tmp_path: Path) -> None:
    header = ",".join(f"Genus species number {index}" for index in range(10_000))
    row = ",".join(map(str, range(10_000)))

    table = load(store, tmp_path / "s.csv", f"file,start_time,end_time,{header}\n/a.wav,0,5,{row}\n/b.wav,0,5,{row}\n")

    assert len(table.content.classes) == 10_000
    assert table.content.classes[9_999].max == 9_999


def test_a_load_under_way_ends_when_cancelled(store: TableStore, tmp_path: Path) -> None:
    cells = ",".join(["0.5"] * 50)
    with (tmp_path / "s.csv").open("w") as file:
        file.write("file,start_time,end_time," + ",".join(f"c{index}" for index in range(50)) + "\n")
        file.writelines(f"/{index}.wav,0,5,{cells}\n" for index in range(200_000))
    token = CancelToken()
    threading.Timer(0.1, token.cancel).start()

    with pytest.raises(RequestCancelled):
        store.open(tmp_path / "s.csv", "auto", token)

    assert not [path for path in (tmp_path / "cache").iterdir() if path.suffix == ".duckdb"]


def test_loading_stops_when_cancelled(store: TableStore, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(DENSE)
    token = CancelToken()
    token.cancel()

    with pytest.raises(RequestCancelled):
        store.open(tmp_path / "s.csv", "auto", token)


def test_a_pipe_and_a_device_are_refused_at_once(store: TableStore, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)

    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(FormatUnknown, match="is no ordinary file"):
            store.open(path, "auto", CancelToken())


def test_a_table_of_two_whole_files_loads_with_its_bad_row_told(store: TableStore, tmp_path: Path) -> None:
    table = load(store, tmp_path / "s.csv", "file,owl,toad\n/a.wav,1,2\n/b.wav,oops,3\n")

    assert table.content.format == "simple"
    assert [summary.name for summary in table.content.classes] == ["owl", "toad"]
    assert rows(store, table) == [(0, "/a.wav", 0, 0, 1, 2)]
    assert [(problem.row, problem.message) for problem in table.content.problems] == [
        (3, "'oops' in column 'owl' is not a number.")
    ]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [("auto", "The columns of s.csv fit no format"), ("raven", "The columns of s.csv do not fit the format `raven`")],
)
def test_an_unknown_table_is_refused_in_plain_words(
    store: TableStore, tmp_path: Path, wanted: Wanted, words: str
) -> None:
    with pytest.raises(FormatUnknown, match=words):
        load(store, tmp_path / "s.csv", "file,place\n/a.wav,here\n/b.wav,there\n", wanted)
