"""survey.tables.job: the parts of a job as a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rpc.cancel import CancelToken
from rpc.errors import FormatUnknown
from survey.ledger import Stamp
from survey.parts import Basis, ClipRange, Keep, Layout, PartWriter, ScoredClips
from survey.tables.store import TableStore

NAN = float("nan")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TableStore]:
    store = TableStore(tmp_path / "cache")
    yield store
    store.close_all()


def clips(file: str, first: int, scores: list[list[float]], total: int) -> ScoredClips:
    """Clips of 3 s."""
    starts = np.arange(first, first + len(scores), dtype=np.float64) * np.float64(3)
    held = ClipRange(
        recording=Stamp(file, 1, 1), first=first, count=len(scores), total=total,
        start_seconds=float(starts[0]), end_seconds=float(starts[-1] + 3), audio_seconds=3.0 * len(scores),
    )  # fmt: skip
    return ScoredClips(held, starts, starts + 3, np.array(scores, np.float32))


def job(folder: Path, layout: Layout) -> Path:
    """A job folder of two parts: a.wav in both, b.wav in the second."""
    scores = folder / "job" / "scores"
    scores.mkdir(parents=True)
    (folder / "job" / "config.json").write_text("{}")
    basis = Basis(layout=layout, classes=("Owl", "toad", "owl"), fingerprint="f", scoring={})
    writer = PartWriter(scores, basis, Keep(0.5, None))
    writer.add(clips("/a.wav", 0, [[0.1, 0.9, 0.2], [0.3, 0.4, 0.1]], 3))
    writer.close_part()
    writer.add(clips("/a.wav", 2, [[0.8, 0.6, 0.7]], 3))
    writer.add(clips("/b.wav", 0, [[NAN, NAN, NAN], [0.5, 0.5, 0.0]], 2))
    writer.close_part()
    return folder / "job"


@pytest.mark.parametrize("inner", ["", "scores"])
def test_a_dense_job(store: TableStore, tmp_path: Path, inner: str) -> None:
    table = store.open(job(tmp_path, "dense") / inner, "auto", CancelToken())

    assert (table.content.format, table.content.layout) == ("job", "dense")
    assert (table.content.clip_count, table.content.file_count) == (5, 2)
    assert [(s.name, s.count) for s in table.content.classes] == [("Owl", 4), ("toad", 4), ("owl", 4)]
    assert [s.max for s in table.content.classes] == pytest.approx([0.8, 0.9, 0.7])
    with store.cursor() as cursor:
        rows = cursor.execute(f'SELECT row, path, "start", s1 FROM {table.schema}.clips ORDER BY row').fetchall()
    assert rows[2] == (2, "/a.wav", 6.0, pytest.approx(0.6))


def test_a_sparse_job_counts_clips_without_scores_too(store: TableStore, tmp_path: Path) -> None:
    table = store.open(job(tmp_path, "sparse"), "auto", CancelToken())

    assert (table.content.format, table.content.layout) == ("job", "sparse")
    assert (table.content.clip_count, table.content.file_count) == (5, 2)
    assert [(s.name, s.count) for s in table.content.classes] == [("Owl", 2), ("toad", 3), ("owl", 1)]


def test_a_job_that_goes_on_is_read_anew_and_left_alone(store: TableStore, tmp_path: Path) -> None:
    folder = job(tmp_path, "dense")
    before = store.open(folder, "auto", CancelToken()).content
    being_written = folder / "scores" / ".part-000003.parquet.12345678.partial"
    being_written.write_bytes(b"half")
    writer = PartWriter(folder / "scores", Basis("dense", ("Owl", "toad", "owl"), "f", {}), Keep(None, None))
    writer.add(clips("/c.wav", 0, [[0, 0, 0]], 1))
    writer.close_part()

    after = store.open(folder, "auto", CancelToken()).content

    assert (before.clip_count, after.clip_count) == (5, 6)
    assert being_written.exists()


def test_what_the_job_could_not_score_is_told(store: TableStore, tmp_path: Path) -> None:
    folder = job(tmp_path, "dense")
    (folder / "failures.csv").write_text('file,code,message\n/broken.wav,1002,"no sound, at all"\n')

    table = store.open(folder, "auto", CancelToken())

    assert [(problem.row, problem.message) for problem in table.content.problems] == [
        (0, "/broken.wav: no sound, at all")
    ]


def test_a_job_without_scores_yet(store: TableStore, tmp_path: Path) -> None:
    (tmp_path / "job" / "scores").mkdir(parents=True)
    (tmp_path / "job" / "config.json").write_text("{}")

    with pytest.raises(FormatUnknown, match=r"no scores in .* yet"):
        store.open(tmp_path / "job", "auto", CancelToken())
