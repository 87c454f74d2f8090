"""sidecar.scores.export: what is exported loads again equal, or is refused by name."""

from __future__ import annotations

import csv
import itertools
import math
import os
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import get_args

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from rpc.cancel import CancelToken
from rpc.errors import DiskFull, FileMissing, FormatUnknown, RequestCancelled, RequestFailed, ScoresNotFound
from schemas.scores import Exported, ExportFormat, ExportParams, LoadParams, PageParams, ScoreRow
from sidecar.scores.export import export_table
from sidecar.scores.page import page_of
from sidecar.scores.session import OpenTable, ScoreSession
from survey import atomic
from tests.hostile import fill, small_disk
from tests.survey.tables.long_rows import long_rows

FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)
COUNTER = itertools.count()

DENSE = "file,start_time,end_time,owl,toad\n/d/a.wav,0,5,1.5,-2\n/d/a.wav,5,10,0.5,3\n/d/b.wav,0,5,,7\n"
SPARSE = (
    "Start (s),End (s),Scientific name,Common name,Confidence,File\n"
    "3.0,6.0,Setophaga pusilla,Wilson's Warbler,0.87,/d/a.wav\n6.0,9.0,Engine,,0.5,/d/b.wav\n"
)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScoreSession]:
    session = ScoreSession(tmp_path_factory.mktemp("cache"))
    yield session
    session.close_all()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


def opened(session: ScoreSession, path: Path) -> OpenTable:
    return session.get(session.load(LoadParams(path=str(path)), CancelToken()).scores_id)


def text_table(session: ScoreSession, folder: Path, content: str) -> OpenTable:
    path = folder / f"{next(COUNTER)}.csv"
    path.write_text(content)
    return opened(session, path)


def export(table: OpenTable, path: Path, kind: ExportFormat, **more: object) -> Exported:
    params = ExportParams(scores_id="", path=str(path), format=kind, **more)  # type: ignore[arg-type]
    return export_table(table, params, CancelToken())


def cells(table: OpenTable) -> list[ScoreRow]:
    page = page_of(table, PageParams(scores_id="", sort="row", descending=False, limit=10_000), CancelToken())
    return list(page.rows)


def target(folder: Path, kind: ExportFormat) -> Path:
    ending = {"parquet": ".parquet", "audacity": "", "raven": ".txt"}.get(kind, ".csv")
    return folder / f"out{next(COUNTER)}{ending}"


def content_of(rows: list[ScoreRow], *, whole_path: bool = True) -> list[tuple[object, ...]]:
    return sorted(
        (
            row.path if whole_path else PureWindowsPath(row.path).name,
            row.class_,
            round(row.start_seconds, 6),
            round(row.end_seconds, 6),
            row.score,
        )
        for row in rows
    )


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("content", [DENSE, SPARSE], ids=["dense", "sparse"])
def test_what_is_exported_loads_again_equal(
    session: ScoreSession, folder: Path, kind: ExportFormat, content: str
) -> None:
    table = text_table(session, folder, content)

    done = export(table, target(folder, kind), kind)

    again = opened(session, Path(done.path))
    whole = kind != "audacity"  # its labels name no folder
    assert content_of(cells(again), whole_path=whole) == content_of(cells(table), whole_path=whole)
    assert done.row_count == (again.stored.content.clip_count if kind == "csv" else len(cells(table)))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_class_and_a_range_can_be_chosen(session: ScoreSession, folder: Path, kind: ExportFormat) -> None:
    table = text_table(session, folder, DENSE)

    done = export(table, target(folder, kind), kind, class_="toad", score_range=(0, 3))

    assert [(row.class_, row.score) for row in cells(opened(session, Path(done.path)))] == [("toad", 3)]
    assert done.row_count == 1


ODD_NAMES = [
    "None", "NA", "x" * 300, "ö" * 150, "🦉" * 75, "Genus species", "Genus species_name", "Owl 87%", "score", "class",
    "file", "\\", "-1", "'", '"', '"quoted"', "Wilson's Warbler", 'the "owl"', "#1", "=1+1", "a\tb",
]  # fmt: skip
ODD_PATHS = [
    "/d/a.wav", '/d/it\'s "x".wav', "/d/ä 🦉/b.wav", "/d/c,;\t.wav", "/e/NA", "/r.wav", '/"q"/q.wav', "/d//e/./f.wav",
    "/" + "y" * 200 + "/" + "ö" * 100 + "/z.wav", "C:\\rec\\a.wav", "C:/rec/b.wav", "file:///d/%E4.wav",
]  # fmt: skip
names = st.text(st.sampled_from("aB'\"\t ,;_\\%~äß🦉猫\n{}[]NA1."), min_size=1, max_size=8) | st.sampled_from(ODD_NAMES)
paths = st.sampled_from(ODD_PATHS)
values = st.floats(allow_nan=False, allow_infinity=True) | st.sampled_from([0.0, 1.0, -3.5])
times = st.integers(0, 10_000_000).map(lambda number: number / 1000)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(st.tuples(paths, times, st.floats(0.001, 60), names, values), min_size=1, max_size=12),
    kind=st.sampled_from(FORMATS),
)
def test_any_table_survives_every_format_or_is_refused_by_name(
    session: ScoreSession, folder: Path, rows: list[tuple[str, float, float, str, float]], kind: ExportFormat
) -> None:
    source = folder / f"{next(COUNTER)}.parquet"
    with duckdb.connect() as connection:
        columns = {
            "file": np.array([row[0] for row in rows], dtype=object),
            "start_time": np.array([row[1] for row in rows]),
            "end_time": np.array([row[1] + round(row[2], 3) for row in rows]),
            "class": np.array([row[3] for row in rows], dtype=object),
            "score": np.array([row[4] for row in rows]),
        }
        connection.register("rows", columns)
        connection.execute(f"COPY (SELECT * FROM rows) TO '{source}' (FORMAT parquet)")
    table = opened(session, source)
    path = target(folder, kind)

    try:
        done = export(table, path, kind)
    except RequestFailed as refused:
        told = refused.message
        assert any(repr(row[3]) in told or repr(row[0]) in told or repr(Path(row[0]).name) in told for row in rows)
        assert not path.exists()
        return

    again = opened(session, Path(done.path))
    whole = kind != "audacity"
    assert content_of(cells(again), whole_path=whole) == content_of(cells(table), whole_path=whole)
    assert again.stored.content.problems == ()


cells_of_rows = st.floats() | st.none() | st.sampled_from([0.0, 1.0, -3.5])


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    classes=st.lists(names, min_size=1, max_size=4, unique_by=lambda name: name.strip()),
    data=st.data(),
    kind=st.sampled_from(FORMATS),
)
def test_any_dense_table_survives_every_format_or_is_refused_by_name(
    session: ScoreSession, folder: Path, classes: list[str], data: st.DataObject, kind: ExportFormat
) -> None:
    clips = data.draw(st.lists(st.tuples(paths, times), min_size=1, max_size=5, unique=True))
    rows = [data.draw(st.tuples(*[cells_of_rows] * len(classes))) for _ in clips]
    source = folder / f"{next(COUNTER)}.csv"
    with source.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "start_time", "end_time", *classes])
        for (name, start), row in zip(clips, rows, strict=True):
            writer.writerow([name, start, start + 3, *("" if cell is None else cell for cell in row)])
    try:
        table = opened(session, source)
    except FormatUnknown:  # a class called `file`, say
        assume(False)
    path = target(folder, kind)

    try:
        done = export(table, path, kind)
    except RequestFailed as refused:
        told = [*classes, *(name.strip() for name in classes), *(clip[0] for clip in clips)]
        assert any(repr(name) in refused.message or repr(Path(name).name) in refused.message for name in told)
        assert not path.exists()
        return

    if not cells(table) and kind != "csv":  # nothing to write, so nothing to load
        assert done.row_count <= len(clips) * len(classes)
        return
    again = opened(session, Path(done.path))
    whole = kind != "audacity"
    assert content_of(cells(again), whole_path=whole) == content_of(cells(table), whole_path=whole)
    if kind == "csv":
        assert [c.name for c in again.stored.content.classes] == [c.name for c in table.stored.content.classes]
        assert again.stored.content.clip_count == table.stored.content.clip_count


def test_infinities_and_nan_go_into_a_csv_as_they_are(session: ScoreSession, folder: Path) -> None:
    table = text_table(session, folder, "file,start_time,end_time,owl\n/a.wav,0,5,inf\n/b.wav,0,5,nan\n/c.wav,0,5,\n")

    done = export(table, target(folder, "csv"), "csv")

    assert Path(done.path).read_text().splitlines()[1:] == [
        "/a.wav,0.0,5.0,inf",
        "/b.wav,0.0,5.0,nan",
        "/c.wav,0.0,5.0,",
    ]


def test_nan_goes_into_parquet_but_into_no_range(session: ScoreSession, folder: Path) -> None:
    table = text_table(session, folder, "file,start_time,end_time,owl\n/a.wav,0,5,inf\n/b.wav,0,5,nan\n/c.wav,0,5,\n")

    whole = export(table, target(folder, "parquet"), "parquet")
    part = export(table, target(folder, "parquet"), "parquet", score_range=(-math.inf, math.inf))

    with duckdb.connect() as connection:
        scores = connection.execute(f"SELECT score FROM '{whole.path}' ORDER BY file").fetchall()
        assert connection.execute(f"SELECT score FROM '{part.path}'").fetchall() == [(math.inf,)]
    assert scores[0] == (math.inf,)
    assert math.isnan(scores[1][0])
    assert len(scores) == whole.row_count == 2
    assert export(table, target(folder, "birdnet"), "birdnet").row_count == 1


BOUNDS = "1.0\t2.0\towl\t0.5\n\\\t1200.0\t8000.0\n3.0\t4.0\towl\t0.5\n\\\t-1.0\t900.5\n5.0\t6.0\towl\t0.5\n"


def bounds_in(table: OpenTable) -> list[tuple[float, float | None, float | None]]:
    return sorted((row[1], *known[2:]) for _, row, known in long_rows(table.stored))


@pytest.mark.parametrize("kind", ["parquet", "raven", "audacity"])
def test_frequency_bounds_survive_where_they_are_known(session: ScoreSession, folder: Path, kind: ExportFormat) -> None:
    labels = folder / f"bounds{next(COUNTER)}" / "a.wav.txt"
    labels.parent.mkdir()
    labels.write_text(BOUNDS)

    done = export(opened(session, labels.parent), target(folder, kind), kind)

    again = opened(session, Path(done.path))
    assert bounds_in(again) == [(1.0, 1200.0, 8000.0), (3.0, None, 900.5), (5.0, None, None)]
    if kind == "audacity":
        assert (Path(done.path) / "a.wav.txt").read_text() == BOUNDS


def test_common_names_and_bounds_survive_where_a_format_has_them(session: ScoreSession, folder: Path) -> None:
    labels = folder / "labels"
    labels.mkdir()
    (labels / "a.wav.txt").write_text("1.0\t2.0\tSetophaga pusilla_Wilson's Warbler\t0.87\n\\\t1200.0\t8000.0\n")

    done = export(opened(session, labels), folder / "labels again", "audacity")

    assert (Path(done.path) / "a.wav.txt").read_text() == (labels / "a.wav.txt").read_text()


@pytest.mark.parametrize("kind", FORMATS)
def test_an_existing_file_stays_unless_overwriting_is_allowed(
    session: ScoreSession, folder: Path, kind: ExportFormat
) -> None:
    table = text_table(session, folder, DENSE)
    path = target(folder, kind)
    export(table, path, kind, class_="owl")

    with pytest.raises(RequestFailed, match="exists already"):
        export(table, path, kind)
    assert {row.class_ for row in cells(opened(session, path))} == {"owl"}

    export(table, path, kind, overwrite=True)
    assert {row.class_ for row in cells(opened(session, path))} == {"owl", "toad"}


@pytest.mark.parametrize("name", ["S1_20240512.wav", "notes.docx", "scores", "table.csv.gz", ".csv"])
def test_what_is_no_table_is_never_replaced(session: ScoreSession, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"mine")

    with pytest.raises(RequestFailed, match="by its name it is no table"):
        export(text_table(session, tmp_path, DENSE), path, "csv", overwrite=True)

    assert path.read_bytes() == b"mine"


@pytest.mark.parametrize("kind", FORMATS)
def test_what_appears_while_it_is_written_is_not_replaced(
    session: ScoreSession, tmp_path: Path, kind: ExportFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = target(tmp_path, kind)
    taken = path / "b.wav.txt" if kind == "audacity" else path
    flush = atomic.flush_file

    def somebody_is_faster(aside: Path) -> None:
        taken.write_text("mine")
        flush(aside)

    monkeypatch.setattr(atomic, "flush_file", somebody_is_faster)
    with pytest.raises(RequestFailed, match="exist"):
        export(text_table(session, tmp_path, DENSE), path, kind)

    assert taken.read_text() == "mine"
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_disk_that_fills(session: ScoreSession, tmp_path: Path, kind: ExportFormat) -> None:
    generator = np.random.default_rng(1)
    rows = [f"/d/{n // 500}.wav,{n % 500},{n % 500 + 1},{generator.random()},{generator.random()}" for n in range(5000)]
    table = text_table(session, tmp_path, "file,start_time,end_time,owl,toad\n" + "\n".join(rows))
    disk = tmp_path / "disk"
    disk.mkdir()

    with small_disk(disk, "60k"):
        path = target(disk, kind)
        with pytest.raises(DiskFull, match="disk is full") as failure:
            export(table, path, kind)

        assert str(path) in failure.value.message
        assert list(disk.iterdir()) == []


def test_a_disk_that_fills_leaves_the_old_file(session: ScoreSession, tmp_path: Path) -> None:
    table = text_table(session, tmp_path, DENSE)
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, "100k"):
        path = disk / "out.csv"
        path.write_text("old")
        fill(disk)

        with pytest.raises(DiskFull):
            export(table, path, "csv", overwrite=True)

        assert path.read_text() == "old"


@pytest.mark.parametrize("kind", FORMATS)
def test_cancelling_leaves_nothing(session: ScoreSession, tmp_path: Path, kind: ExportFormat) -> None:
    table = text_table(session, tmp_path, DENSE)
    path = target(tmp_path, kind)
    token = CancelToken()
    params = ExportParams(scores_id="", path=str(path), format=kind)
    files = {file.name for file in tmp_path.iterdir()}

    class Cancelling:
        """Goes up as soon as the places of the recordings are known."""

        def __getattr__(self, name: str) -> object:
            return getattr(table, name)

        def places_now(self, token: CancelToken) -> tuple[str, ...]:
            found = table.places_now(token)
            token.cancel()
            return found

    with pytest.raises(RequestCancelled):
        export_table(Cancelling(), params, token)  # type: ignore[arg-type]

    assert {file.name for file in tmp_path.iterdir()} == files


def test_many_clips_are_written_in_their_order(
    session: ScoreSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.scores.wide._CELLS_AT_ONCE", 14)  # seven clips at a time
    rows = [f"/d/{n % 3}.wav,{n},{n + 1},{n / 7},{-n}" for n in range(100)]
    dense = text_table(session, tmp_path, "file,start_time,end_time,owl,toad\n" + "\n".join(rows))
    sparse = opened(session, Path(export(dense, tmp_path / "s.parquet", "parquet").path))

    for table in (dense, sparse):
        done = export(table, target(tmp_path, "csv"), "csv")
        part = export(table, target(tmp_path, "csv"), "csv", score_range=(-3, 0))

        lines = Path(done.path).read_text().splitlines()
        assert done.row_count == 100
        assert [float(line.split(",")[1]) for line in lines[1:]] == list(range(100))
        assert Path(part.path).read_text().splitlines()[1:] == [
            "/d/0.wav,0.0,1.0,0.0,0.0", "/d/1.wav,1.0,2.0,,-1.0", "/d/2.wav,2.0,3.0,,-2.0", "/d/0.wav,3.0,4.0,,-3.0",
        ]  # fmt: skip


@pytest.mark.parametrize("chosen", [None, (0.5, 2.0)], ids=["all", "a range"])
def test_thousands_of_classes_have_a_column_each(
    session: ScoreSession, folder: Path, chosen: tuple[float, float] | None
) -> None:
    names = [f"class {number}" for number in range(1200)]
    scores = np.random.default_rng(7).normal(size=(4, len(names)))
    scores[2] = -1.0  # a clip that no range has
    lines = [
        f"/d/a.wav,{3 * clip},{3 * clip + 3}," + ",".join(map(str, row)) for clip, row in enumerate(scores.tolist())
    ]
    lines[1] = lines[1].rpartition(",")[0] + ","  # a cell without a score
    table = text_table(session, folder, "\n".join([f"file,start_time,end_time,{','.join(names)}", *lines]))

    exported = export(table, target(folder, "csv"), "csv", score_range=chosen)
    with Path(exported.path).open(newline="") as file:
        header, *rows = csv.reader(file)

    expected = [
        [str(score) if chosen is None or chosen[0] <= score <= chosen[1] else "" for score in clip]
        for clip in scores.tolist()
    ]
    expected[1][-1] = ""
    assert header == ["file", "start_time", "end_time", *names]
    assert [row[3:] for row in rows] == [clip for clip in expected if chosen is None or any(clip)]
    assert exported.row_count == len(rows) == (4 if chosen is None else 3)


def test_what_cannot_be_exported(session: ScoreSession, folder: Path) -> None:
    table = text_table(session, folder, DENSE)
    twice = text_table(
        session, folder, "file,start_time,end_time,class,score\n/a.wav,0,3,owl,0.5\n/a.wav,0,3,owl,0.6\n"
    )
    same = text_table(session, folder, "file,start_time,end_time,owl\n/x/a.wav,0,3,1\n/y/a.wav,0,3,1\n")

    with pytest.raises(FileMissing):
        export(table, folder / "none" / "x.csv", "csv")
    with pytest.raises(ScoresNotFound):
        export(table, folder / "x.csv", "csv", class_="zebra")
    with pytest.raises(RequestFailed, match="is a folder"):
        export(table, folder, "csv", overwrite=True)
    with pytest.raises(RequestFailed, match="'owl' has several scores"):
        export(twice, folder / "x.csv", "csv")
    with pytest.raises(RequestFailed, match=r"'a\.wav' is the name of several recordings"):
        export(same, folder / "x", "audacity")
    assert not (folder / "x.csv").exists()
    assert not any(path.name.endswith(".partial") for path in folder.iterdir())


def test_relative_recordings_are_exported_with_their_place(session: ScoreSession, folder: Path) -> None:
    table = text_table(session, folder, DENSE.replace("/d/", ""))
    (folder / "elsewhere").mkdir()

    done = export(table, folder / "elsewhere" / "x.csv", "csv")

    assert {row.path for row in cells(opened(session, Path(done.path)))} == {
        str(folder / "a.wav"),
        str(folder / "b.wav"),
    }


@pytest.mark.parametrize("kind", FORMATS)
def test_a_pipe_is_not_replaced(session: ScoreSession, tmp_path: Path, kind: ExportFormat) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with pytest.raises(RequestFailed, match="pipe"):
        export(text_table(session, tmp_path, DENSE), pipe, kind, overwrite=True)

    assert pipe.is_fifo()


def test_a_pipe_in_the_way_of_a_label_file_is_not_replaced(session: ScoreSession, tmp_path: Path) -> None:
    pipe = tmp_path / "labels" / "a.wav.txt"
    pipe.parent.mkdir()
    os.mkfifo(pipe)

    with pytest.raises(RequestFailed, match="no ordinary file"):
        export(text_table(session, tmp_path, DENSE), pipe.parent, "audacity", overwrite=True)

    assert pipe.is_fifo()


def test_what_killed_exports_left_is_swept_a_day_later(session: ScoreSession, tmp_path: Path) -> None:
    table = text_table(session, tmp_path, SPARSE)
    ours = [tmp_path / f".s.csv.0123abcd{ending}" for ending in (".partial", ".body.partial")]
    others = [tmp_path / ".mine.partial", tmp_path / "s.csv.0123abcd.partial"]
    now = tmp_path / ".t.csv.0123abcd.partial"
    for path in (*ours, *others, now):
        path.write_text("half")
    for path in (*ours, *others):
        os.utime(path, (0, 0))

    export(table, tmp_path / "s.parquet", "parquet")

    assert [path.exists() for path in (*ours, *others, now)] == [False, False, True, True, True]
