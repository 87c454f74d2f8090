"""detections/export: clips as whole files under names of their own, with a table of them."""

from __future__ import annotations

import csv
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from rpc.call import Call, Progress
from rpc.cancel import CancelToken
from rpc.errors import DiskFull, FileMissing, InvalidParams, PermissionRefused, RequestCancelled, ScoresNotFound
from schemas.audio import ClipParams
from schemas.detections import ChosenDetection, ExportedDetections, ExportParams, ExportSound
from schemas.scores import LoadParams, PageParams
from sidecar.app import Services, build
from sidecar.handlers import detections, scores
from sidecar.settings import Settings
from survey import atomic
from tests.hostile import fill, refusing, small_disk
from tests.sounds import noise, write_sound

RATE = 8000


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    services = build(Settings(tmp_path / "state", tmp_path / "cache"))
    yield services
    services.closed()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return write_sound(tmp_path / "S1_20240512_053000.wav", noise(10 * RATE)[:, 0], RATE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "clips"


def listed(recording: Path, *starts: float, **more: Any) -> tuple[ChosenDetection, ...]:
    chosen = {"class_": "owl", "score": 0.5, **more}
    return tuple(
        ChosenDetection(path=str(recording), start_seconds=start, end_seconds=start + 1, **chosen) for start in starts
    )


def export(services: Services, folder: Path, token: CancelToken | None = None, **params: Any) -> ExportedDetections:
    return detections.export(ExportParams(folder=str(folder), **params), Call(token=token or CancelToken()), services)


def rows_of(done: ExportedDetections) -> list[dict[str, str]]:
    assert done.table is not None
    with Path(done.table).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def pcm(path: Path) -> np.ndarray:
    samples: np.ndarray = soundfile.read(path, dtype="int16")[0]
    return samples


def opened(services: Services, tmp_path: Path, recording: Path) -> str:
    table = tmp_path / "predictions.csv"
    table.write_text(
        "file,start_time,end_time,owl,toad\n"
        f"{recording},0,1,0.9,-3\n{recording},1,2,0.4,\n{recording},2,3,nan,7\n{tmp_path}/gone.wav,0,1,0.8,\n"
    )
    return scores.load(LoadParams(path=str(table)), Call(), services).scores_id


def test_a_class_and_a_range_of_an_open_table(
    services: Services, tmp_path: Path, recording: Path, folder: Path
) -> None:
    scores_id = opened(services, tmp_path, recording)

    done = export(services, folder, scores_id=scores_id, class_="owl", score_range=(0.5, 1))

    assert names_in(folder) == ["detections.csv", "owl_0.9_S1_20240512_053000_0s.wav"]
    assert (done.total, done.clip_count, done.failed) == (2, 1, 1)
    assert (done.failures[0].path, done.failures[0].error.code) == (f"{tmp_path}/gone.wav", 1001)
    assert np.array_equal(pcm(folder / "owl_0.9_S1_20240512_053000_0s.wav"), pcm(recording)[:RATE])


def test_all_classes_the_highest_first_up_to_a_limit(
    services: Services, tmp_path: Path, recording: Path, folder: Path
) -> None:
    scores_id = opened(services, tmp_path, recording)

    everything = export(services, folder, scores_id=scores_id)
    best = export(services, folder, scores_id=scores_id, limit=2)

    assert [(row["class"], row["score"]) for row in rows_of(everything)] == [
        ("toad", "7.0"), ("owl", "0.9"), ("owl", "0.8"), ("owl", "0.4"), ("toad", "-3.0"),
    ]  # fmt: skip
    assert [row["class"] for row in rows_of(best)] == ["toad", "owl"]


def test_the_table_tells_where_everything_is_and_opens_as_scores(
    services: Services, recording: Path, folder: Path
) -> None:
    done = export(
        services, folder, detections=listed(recording, 2.0), include=("audio", "spectrogram"), pad_before_seconds=0.5,
        pad_after_seconds=1.5, time_expansion=10.0,
    )  # fmt: skip

    (row,) = rows_of(done)
    assert row == {
        "file": str(recording), "start_time": "2.0", "end_time": "3.0", "class": "owl", "score": "0.5",
        "clip": "owl_0.5_S1_20240512_053000_2s.wav", "spectrogram": "owl_0.5_S1_20240512_053000_2s.png",
        "clip_start_time": "1.5", "clip_end_time": "4.5", "sample_rate": "800", "time_expansion": "10.0", "error": "",
    }  # fmt: skip
    assert {row["clip"], row["spectrogram"], "detections.csv"} == set(names_in(folder))
    assert done.table is not None
    again = scores.load(LoadParams(path=done.table), Call(), services)
    page = scores.page(PageParams(scores_id=again.scores_id), Call(), services)
    assert [(r.path, r.start_seconds, r.class_, r.score) for r in page.rows] == [(str(recording), 2.0, "owl", 0.5)]


@pytest.mark.parametrize("kind", ["wav", "flac"])
@pytest.mark.parametrize(("factor", "rate"), [(1.0, RATE), (10.0, 800), (3.0, 2667), (0.5, 16000)])
def test_time_expansion_leaves_the_samples_and_divides_the_rate(
    services: Services, recording: Path, folder: Path, kind: Any, factor: float, rate: int
) -> None:
    export(services, folder, detections=listed(recording, 2.0), sound_format=kind, time_expansion=factor)

    (clip,) = folder.glob(f"*.{kind}")
    assert soundfile.info(clip).samplerate == rate
    assert soundfile.info(clip).format == kind.upper()
    assert np.array_equal(pcm(clip), pcm(recording)[2 * RATE : 3 * RATE])


def test_padding_beyond_the_recording_is_silence(services: Services, recording: Path, folder: Path) -> None:
    export(services, folder, detections=listed(recording, 0.0), pad_before_seconds=1, pad_after_seconds=0.5)

    (clip,) = folder.glob("*.wav")
    assert np.array_equal(pcm(clip), np.concatenate([np.zeros(RATE, np.int16), pcm(recording)[: RATE + RATE // 2]]))


def test_the_level_stays_unless_asked_otherwise(services: Services, recording: Path, folder: Path) -> None:
    export(services, folder, detections=listed(recording, 1.0))
    export(services, folder, detections=listed(recording, 1.0), audio=ExportSound(normalize=True))
    export(services, folder, detections=listed(recording, 1.0), audio=ExportSound(highpass_hz=100))

    plain, loud, filtered = (int(np.abs(pcm(path)).max()) for path in sorted(folder.glob("*.wav")))
    assert plain < 20000 < 32000 < loud
    assert filtered < 20000


def test_nothing_is_replaced(services: Services, recording: Path, folder: Path) -> None:
    folder.mkdir()
    stem = "owl_0.5_S1_20240512_053000_1s"
    (folder / f"{stem.upper()}.WAV").write_text("mine")
    (folder / "Detections.csv").write_text("mine")

    done = export(services, folder, detections=listed(recording, 1.0, 1.0))

    assert [row["clip"] for row in rows_of(done)] == [f"{stem}_2.wav", f"{stem}_3.wav"]
    assert done.table == str(folder / "detections_2.csv")
    assert (folder / f"{stem.upper()}.WAV").read_text() == (folder / "Detections.csv").read_text() == "mine"


def test_two_exports_into_one_folder_at_once(services: Services, recording: Path, folder: Path) -> None:
    starts = [float(number % 5) for number in range(30)]
    done: list[ExportedDetections] = []

    def run() -> None:
        done.append(export(services, folder, detections=listed(recording, *starts)))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    clips = [row["clip"] for each in done for row in rows_of(each)]
    assert len(set(clips)) == len(clips) == 90
    assert names_in(folder) == sorted([*clips, "detections.csv", "detections_2.csv", "detections_3.csv"])


def test_without_hard_links_nothing_is_replaced_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", no_links)  # as on an exFAT card, which cannot be mounted everywhere
    aside, taken = tmp_path / "aside", tmp_path / "taken"
    aside.write_text("new")
    taken.write_text("old")

    with pytest.raises(FileExistsError):
        atomic.place_anew(aside, taken)
    assert (aside.read_text(), taken.read_text()) == ("new", "old")

    atomic.place_anew(aside, tmp_path / "free")
    assert names_in(tmp_path) == ["free", "taken"]
    assert (tmp_path / "free").read_text() == "new"


def test_a_clip_that_cannot_be_made_does_not_stop_the_others(
    services: Services, tmp_path: Path, recording: Path, folder: Path
) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    chosen = [
        *listed(tmp_path / "gone.wav", 0.0),
        *listed(broken, 0.0),
        ChosenDetection(path=str(recording), start_seconds=3, end_seconds=2.5),
        *listed(recording, 4.0),
    ]

    done = export(services, folder, detections=tuple(chosen), pad_after_seconds=2)

    assert (done.total, done.clip_count, done.failed) == (4, 1, 3)
    assert [failure.error.code for failure in done.failures] == [1001, 1002, -32602]
    assert done.failures[2].error.message.startswith("$.detections[2].endSeconds: 2.5 s is not after")
    rows = rows_of(done)
    assert [bool(row["clip"]) for row in rows] == [False, False, False, True]
    assert "no file or folder" in rows[0]["error"]


def test_a_detection_without_length_has_a_clip_when_padded(services: Services, recording: Path, folder: Path) -> None:
    point = ChosenDetection(path=str(recording), start_seconds=5, end_seconds=5)

    done = export(services, folder, detections=(point,), pad_before_seconds=0.25, pad_after_seconds=0.25)

    assert len(pcm(folder / rows_of(done)[0]["clip"])) == RATE // 2


def test_a_row_that_stands_for_a_whole_file(services: Services, tmp_path: Path, recording: Path, folder: Path) -> None:
    (tmp_path / "simple.csv").write_text(f"file,owl\n{recording.name},0.5\n")
    loaded = scores.load(LoadParams(path=str(tmp_path / "simple.csv")), Call(), services)

    done = export(services, folder, scores_id=loaded.scores_id, seconds_when_whole_file=2)

    assert len(pcm(folder / rows_of(done)[0]["clip"])) == 2 * RATE


def test_flac_says_which_rates_it_cannot_hold(services: Services, tmp_path: Path, folder: Path) -> None:
    odd = write_sound(tmp_path / "odd.wav", noise(70001 * 2)[:, 0], 70001)

    done = export(services, folder, detections=listed(odd, 0.0), sound_format="flac")

    assert "70001" in done.failures[0].error.message
    assert export(services, folder, detections=listed(odd, 0.0)).failed == 0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "either scoresId"),
        ({"scores_id": "x", "detections": ()}, "either scoresId"),
        ({"detections": (), "class_": "owl"}, r"\$\.class"),
        ({"detections": (), "limit": 3}, r"\$\.limit"),
    ],
)
def test_one_choice_only(services: Services, folder: Path, params: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParams, match=message):
        export(services, folder, **params)
    assert not folder.exists()


def test_what_is_not_there(services: Services, tmp_path: Path, recording: Path, folder: Path) -> None:
    scores_id = opened(services, tmp_path, recording)

    with pytest.raises(ScoresNotFound, match="zebra"):
        export(services, folder, scores_id=scores_id, class_="zebra")
    with pytest.raises(InvalidParams, match="scoreRange"):
        export(services, folder, scores_id=scores_id, score_range=(1, 0))
    assert not folder.exists()
    with pytest.raises(FileMissing, match="nowhere"):
        export(services, tmp_path / "nowhere" / "clips", scores_id=scores_id)
    with pytest.raises(Exception, match="is no folder"):
        export(services, recording, scores_id=scores_id)


def test_nothing_in_range(services: Services, tmp_path: Path, recording: Path, folder: Path) -> None:
    done = export(services, folder, scores_id=opened(services, tmp_path, recording), score_range=(100, 200))

    assert (done.total, done.clip_count, done.table) == (0, 0, None)
    assert names_in(folder) == []


def test_too_many_at_once_are_refused(
    services: Services, tmp_path: Path, recording: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.scores.choosing.MAX_CHOSEN", 4)
    scores_id = opened(services, tmp_path, recording)

    with pytest.raises(InvalidParams, match="5 detections are in range, and at most 4"):
        export(services, folder, scores_id=scores_id)

    assert export(services, folder, scores_id=scores_id, limit=3).total == 3


class Teller:
    """Hears of the progress of a call, and cancels it after some clips."""

    def __init__(self, token: CancelToken, cancel_after: int) -> None:
        self.token = token
        self.cancel_after = cancel_after
        self.heard: list[Progress] = []

    def progress(self, progress: Progress) -> None:
        self.heard.append(progress)
        if progress.done == self.cancel_after:
            self.token.cancel()

    def rows(self, rows: Sequence[Any]) -> None:
        raise AssertionError


def told(cancel_after: int = -1) -> tuple[Call, Teller]:
    token = CancelToken()
    call, teller = Call(token=token), Teller(token, cancel_after)
    call.listen(teller, progress=True, partial=False)
    return call, teller


def test_progress_counts_clips_and_failures(services: Services, tmp_path: Path, recording: Path, folder: Path) -> None:
    call, teller = told()
    chosen = (*listed(recording, 0.0), *listed(tmp_path / "gone.wav", 0.0), *listed(recording, 1.0))

    detections.export(ExportParams(folder=str(folder), detections=chosen), call, services)

    assert [(told.kind, told.done, told.total, told.failed) for told in teller.heard] == [
        ("begin", 0, 3, 0), ("report", 1, 3, 0), ("report", 2, 3, 1), ("report", 3, 3, 1),
    ]  # fmt: skip


def test_what_was_written_before_a_cancel_is_whole(services: Services, recording: Path, folder: Path) -> None:
    call, _ = told(cancel_after=70)  # more than are rendered ahead at a time
    chosen = listed(recording, *[number / 100 for number in range(200)])
    params = ExportParams(folder=str(folder), detections=chosen, include=("audio", "spectrogram"))

    with pytest.raises(RequestCancelled):
        detections.export(params, call, services)

    with (folder / "detections.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert 70 <= len(rows) < 200
    files = [name for row in rows for name in (row["clip"], row["spectrogram"])]
    assert names_in(folder) == sorted([*files, "detections.csv"])
    assert {len(pcm(folder / row["clip"])) for row in rows} == {RATE}


def test_a_disk_that_fills(services: Services, tmp_path: Path, recording: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, "200k"):
        folder = disk / "clips"
        chosen = listed(recording, *[number / 10 for number in range(40)])  # of 16 kB each
        with pytest.raises(DiskFull, match=r"(\d+) of 40 clips were written") as failure:
            export(services, folder, detections=chosen, include=("audio", "spectrogram"))

        with (folder / "detections.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert failure.value.message.startswith(f"The disk is full: {len(rows)} of 40 ")
        assert 2 <= len(rows) < 15
        files = [name for row in rows for name in (row["clip"], row["spectrogram"])]
        assert names_in(folder) == sorted([*files, "detections.csv"])
        assert {len(pcm(folder / row["clip"])) for row in rows} == {RATE}

        fill(disk)
        with pytest.raises(DiskFull):
            export(services, folder, detections=chosen)
        assert names_in(folder) == sorted([*files, "detections.csv"])


def test_a_folder_that_refuses(services: Services, recording: Path, folder: Path) -> None:
    folder.mkdir()
    with refusing(folder), pytest.raises(PermissionRefused, match="write into"):
        export(services, folder, detections=listed(recording, 0.0))
    assert names_in(folder) == []


def test_memory_holds_few_clips_at_a_time() -> None:
    from sidecar.audio.batch import _by_turns

    clips = [ClipParams(path="a", start_seconds=0, end_seconds=seconds) for seconds in (1.0,) * 150 + (3600.0,) * 3]

    shares = list(_by_turns(clips))

    assert [len(share) for share in shares] == [64, 64, 22, 1, 1, 1]
    assert [clip for share in shares for clip in share] == clips
