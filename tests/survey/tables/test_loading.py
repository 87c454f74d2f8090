"""Loading: large texts read in any order, folders of dense tables, progress, cancel."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rpc.cancel import CancelToken
from rpc.errors import FormatUnknown, RequestCancelled
from survey.tables import unordered
from survey.tables.store import StoredTable, TableStore

LONG_AGO = time.time() - 1000
HEADER = "file,start_time,end_time,owl,jay\n"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TableStore]:
    store = TableStore(tmp_path / "cache")
    yield store
    store.close_all()


def rows_of(store: TableStore, table: StoredTable) -> list[tuple[object, ...]]:
    with store.cursor() as cursor:
        rows: list[tuple[object, ...]] = cursor.execute(f"SELECT * FROM {table.schema}.clips ORDER BY row").fetchall()
    return rows


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def lines(count: int) -> str:
    # Neither sorted by recording nor by time.
    return "".join(
        f"/r{(i * 7919) % 13}.wav,{(i * 31) % count},{(i * 31) % count + 5},{i / 8},{-i}\n" for i in range(count)
    )


@pytest.mark.parametrize(
    "odd",
    [
        "",
        "/r.wav,0,5,1,2\n/r.wav,0,5,3,4\n",  # two rows that recording and times do not tell apart
        "/r.wav,0,5,oops,2\n",
        "/r.wav,0,5,2\n",
        "/unreadable.wav,,,,\n",
        "/r.wav,5,0,1,2\n",
        "/r.wav,0,5,,nan\n",
        "/r.wav,0,5,NA,1\n",
        "None,0,5,1,1\n",
    ],
)
def test_a_large_text_reads_in_any_order_as_it_does_in_its_own(
    store: TableStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: str
) -> None:
    text = HEADER + lines(500) + odd + lines(3).replace("/r", "/s")
    small, large = written(tmp_path / "small.csv", text), written(tmp_path / "large.csv", text)
    in_order = store.open(small, "auto", CancelToken())
    monkeypatch.setattr(unordered, "LARGE_BYTES", 0)

    in_any_order = store.open(large, "auto", CancelToken())

    assert repr(rows_of(store, in_any_order)) == repr(rows_of(store, in_order))
    assert in_any_order.content == in_order.content


def test_dense_tables_in_a_folder_are_joined_by_the_names_of_their_classes(store: TableStore, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    written(folder / "a.csv", HEADER + "/a.wav,0,5,1,2\n/a.wav,5,10,3,x\n/a.wav,10,15,4,5\n")
    written(folder / "b.csv", "file;start_time;end_time;jay;wren\n/b.wav;0;5;6;7\n")
    written(folder / "notes.txt", "seen from the hide\n")
    written(folder / "whole.csv", "file,owl\n/c.wav,1\n")

    table = store.open(folder, "auto", CancelToken())

    assert [summary.name for summary in table.content.classes] == ["owl", "jay", "wren"]
    assert [row[1:] for row in rows_of(store, table)] == [
        ("/a.wav", 0.0, 5.0, 1.0, 2.0, None),
        ("/a.wav", 10.0, 15.0, 4.0, 5.0, None),
        ("/b.wav", 0.0, 5.0, None, 6.0, 7.0),
    ]
    told = sorted(problem.message for problem in table.content.problems)
    assert told[0].startswith("a.csv: 'x' in column 'jay'")
    assert told[1].startswith("notes.txt was left out")
    assert told[2] == "whole.csv was left out: it has no times, the others have."


def test_a_folder_of_dense_tables_without_a_row_is_refused(store: TableStore, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    written(folder / "a.csv", HEADER + "/a.wav,0,y,1,2\n")

    with pytest.raises(FormatUnknown, match=r"a\.csv"):
        store.open(folder, "auto", CancelToken())


def test_loading_tells_how_many_bytes_are_read_and_never_goes_back(store: TableStore, tmp_path: Path) -> None:
    source = written(tmp_path / "s.csv", HEADER + lines(1000))
    told: list[tuple[int, int]] = []

    store.open(source, "auto", CancelToken(), lambda done, total: told.append((done, total)))

    size = source.stat().st_size
    assert told == sorted(told)
    assert {total for _, total in told} == {size}
    assert all(0 <= done <= size for done, _ in told)


def test_who_waits_for_the_same_table_can_stop_waiting(
    store: TableStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = written(tmp_path / "s.csv", HEADER + lines(10))
    reading, go_on = threading.Event(), threading.Event()

    def report(_done: int, _total: int) -> None:
        reading.set()
        go_on.wait(10)

    first = threading.Thread(target=lambda: store.open(source, "auto", CancelToken(), report))
    first.start()
    assert reading.wait(10)
    token = CancelToken()
    threading.Timer(0.05, token.cancel).start()

    try:
        with pytest.raises(RequestCancelled):
            store.open(source, "auto", token)
    finally:
        go_on.set()
        first.join()
