"""survey.tables.store: what is kept of a table, and when it is made again."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rpc.cancel import CancelToken
from rpc.errors import InternalError
from survey.tables.store import TableStore

TABLE = "file,start_time,end_time,owl\n/a.wav,0,5,1\n"
LONG_AGO = time.time() - 1000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TableStore]:
    store = TableStore(tmp_path / "cache")
    yield store
    store.close_all()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "s.csv"
    path.write_text(TABLE)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def kept(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "cache").iterdir() if not path.name.startswith("spill-")}


def test_a_table_is_kept_and_found_again_by_another_process(store: TableStore, source: Path, tmp_path: Path) -> None:
    first = store.open(source, "auto", CancelToken())
    store.close(first)
    other = TableStore(tmp_path / "cache")

    second = other.open(source, "auto", CancelToken())

    assert second.folder == first.folder
    assert second.content == first.content
    other.close_all()


def test_one_table_opened_twice_lives_until_both_are_closed(store: TableStore, source: Path) -> None:
    first = store.open(source, "auto", CancelToken())
    second = store.open(source, "auto", CancelToken())
    store.close(first)

    with store.cursor() as cursor:
        assert cursor.execute(f"SELECT count(*) FROM {second.schema}.clips").fetchone() == (1,)
    assert second.folder.exists()


@pytest.mark.parametrize("changed", [TABLE + "/b.wav,0,5,1\n", TABLE.replace("5,1", "5,2")])
def test_a_table_that_changed_is_read_again(store: TableStore, source: Path, changed: str) -> None:
    before = store.open(source, "auto", CancelToken()).content
    source.write_text(changed)
    os.utime(source, (LONG_AGO + 10, LONG_AGO + 10))

    after = store.open(source, "auto", CancelToken()).content

    assert after != before


def test_a_table_written_just_now_is_not_kept(store: TableStore, source: Path, tmp_path: Path) -> None:
    source.write_text(TABLE)

    table = store.open(source, "auto", CancelToken())
    store.close(table)

    assert table.temporary
    assert kept(tmp_path) == set()


@pytest.mark.parametrize("damaged", ["table.json", "scores.duckdb", "start.f8", "clip-row.u4"])
def test_a_damaged_kept_table_is_made_again(store: TableStore, source: Path, tmp_path: Path, damaged: str) -> None:
    first = store.open(source, "auto", CancelToken())
    store.close(first)
    (first.folder / damaged).write_bytes(b"no database")

    again = store.open(source, "auto", CancelToken())

    assert again.content == first.content
    assert kept(tmp_path) == {first.folder.name}


def test_clearing_spares_what_is_open(store: TableStore, source: Path, tmp_path: Path) -> None:
    table = store.open(source, "auto", CancelToken())
    assert store.clear() == 0

    store.close(table)

    assert store.clear() > 0
    assert kept(tmp_path) == set()


def test_a_question_that_makes_no_sense_is_our_fault_not_the_files(store: TableStore) -> None:
    with pytest.raises(InternalError), store.cursor() as cursor:
        cursor.execute("SELECT nonsense FROM nowhere")


def test_a_refused_table_leaves_nothing_behind(store: TableStore, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("name,place\nann,here\n")

    with pytest.raises(Exception, match="fit no format"):
        store.open(tmp_path / "bad.csv", "auto", CancelToken())

    assert kept(tmp_path) == set()


@pytest.mark.parametrize("whole", [True, False])
def test_another_process_was_quicker(
    store: TableStore, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    """Both read the table; what the first of them keeps stays if it is whole."""
    first = store.open(source, "auto", CancelToken())
    other = TableStore(tmp_path / "cache")
    monkeypatch.setattr(other, "_reopen", lambda _key: None)
    before = (first.folder / "table.json").stat().st_ino
    if not whole:
        (first.folder / "start.f8").unlink()

    second = other.open(source, "auto", CancelToken())

    assert second.folder == first.folder
    assert second.content == first.content
    assert ((second.folder / "table.json").stat().st_ino == before) is whole
    other.close_all()
