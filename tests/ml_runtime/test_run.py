"""What becomes of a job: recordings good and bad, resumed, cancelled, on a full disk. The model is loudness.py's."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml_runtime import books
from ml_runtime.models.registry import ModelProvider
from rpc.cancel import CancelToken
from rpc.errors import ConfigInvalid, DiskFull, FileMissing, PermissionRefused, RequestCancelled, RequestFailed
from survey.ledger import Done, Ledger
from survey.parts import read_parts, scored_ranges
from tests.hostile import fill, refusing, small_disk
from tests.ml_runtime.jobs import failures, ledger, make_job, predictions, run
from tests.ml_runtime.loudness import CARD, Loudness, OneModel
from tests.sounds import noise, write_sound

RATE = 8000


def loudness(**options) -> OneModel:
    return OneModel(Loudness(**options))


@pytest.fixture
def three(tmp_path):
    """Recordings of 3.5, 2 and 4 s."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for index, seconds in enumerate((3.5, 2.0, 4.0)):
        write_sound(folder / f"r{index}.wav", noise(int(RATE * seconds), seed=index), RATE)
    return folder


def expected_rows(folder) -> list[tuple[str, float]]:
    """(file name, start) of every clip of the fixture `three`."""
    return [(f"r{index}.wav", float(start)) for index, clips in enumerate((4, 2, 4)) for start in range(clips)]


def rows(table) -> list[tuple[str, float]]:
    return [(Path(file).name, start) for file, start, _ in table.index]


def parts_hold(folder) -> dict[str, list[int]]:
    """File name -> numbers of the clips in parts, with repetitions."""
    return {
        Path(file).name: [clip for held in ranges for clip in range(held.first, held.first + held.count)]
        for file, ranges in scored_ranges(read_parts(folder.scores_path)).items()
    }


def test_a_job_leaves_everything_that_people_need(three, tmp_path, no_new_threads):
    # Arrange
    folder = make_job(tmp_path / "output", three, formats=("csv", "parquet"))

    # Act
    outcome = run(folder, loudness())

    # Assert
    assert outcome.state == "completed"
    assert (outcome.files_total, outcome.files_done, outcome.files_failed, outcome.files_skipped) == (3, 3, 0, 0)
    assert (outcome.clips, outcome.audio_seconds) == (10, 9.5)
    assert [(output.format, Path(output.path).name) for output in outcome.outputs] == [
        ("csv", "predictions.csv"),
        ("parquet", "predictions.parquet"),
    ]
    table = predictions(folder)
    assert rows(table) == expected_rows(folder)
    assert list(table.columns) == ["mean", "peak"]
    samples = np.abs(noise(int(RATE * 3.5), seed=0))[RATE : 2 * RATE]
    assert table.iloc[1]["peak"] == pytest.approx(samples.max(), abs=1e-4)
    assert failures(folder) == {}
    events = [(name, event) for event, name in ledger(folder)]
    for name in ("r0.wav", "r1.wav", "r2.wav"):
        assert [event for about, event in events if about == name] == ["started", "scored", "done"]
    summary = json.loads(folder.summary_path.read_text())
    assert (summary["clips"], summary["audioSeconds"], summary["layout"], summary["model"]) == (
        10,
        9.5,
        "dense",
        "Loudness",
    )
    environment = json.loads(folder.environment_path.read_text())
    assert (environment["device"], environment["batchSize"], environment["weights"]) == ("cpu", 4, "loudness 1")
    assert environment["packages"]["opensoundscape"]


def test_bad_recordings_are_reported_and_do_not_stop_the_rest(three, tmp_path):
    # Arrange
    (three / "broken.wav").write_bytes(b"RIFF, but no more than that")
    (three / "nothing.wav").write_bytes(b"")
    write_sound(three / "silent.wav", noise(0), RATE)
    missing = three / "gone.wav"
    files = [*sorted(three.iterdir()), missing]
    folder = make_job(tmp_path / "output", files)

    # Act
    outcome = run(folder, loudness())

    # Assert
    assert outcome.state == "completed"
    assert (outcome.files_total, outcome.files_done, outcome.files_failed) == (7, 3, 4)
    assert {name: code for name, (code, _) in failures(folder).items()} == {
        "broken.wav": 1002,
        "nothing.wav": 1002,
        "silent.wav": 1002,
        "gone.wav": 1001,
    }
    assert rows(predictions(folder)) == expected_rows(folder)
    assert {Path(failure.path).name for failure in outcome.failures} == set(failures(folder))
    assert {name for event, name in ledger(folder) if event == "failed"} == set(failures(folder))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not have names that are not UTF-8")
def test_names_that_are_not_utf_8_are_scored_and_reported(tmp_path):
    # Arrange
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    write_sound(recordings / "plain.wav", noise(RATE * 2), RATE)
    sound = (recordings / "plain.wav").read_bytes()
    Path(os.fsdecode(bytes(recordings) + b"/caf\xe9.wav")).write_bytes(sound)
    Path(os.fsdecode(bytes(recordings) + b"/br\xf6ken.wav")).write_bytes(b"no sound")
    folder = make_job(tmp_path / "output", recordings)

    # Act
    outcome = run(folder, loudness())

    # Assert
    assert (outcome.files_done, outcome.files_failed) == (2, 1)
    assert {name for name, _ in rows(predictions(folder))} == {"caf%E9.wav", "plain.wav"}
    assert set(failures(folder)) == {"br%F6ken.wav"}


def test_what_was_scored_before_a_model_failed_is_kept(three, tmp_path):
    # Arrange
    folder = make_job(tmp_path / "output", three)

    # Act
    with pytest.raises(RequestFailed, match="the model failed"):
        run(folder, loudness(before_batch=stop_after(1, fail)))

    # Assert
    assert parts_hold(folder) == {"r0.wav": [0, 1, 2, 3]}


def test_a_job_without_a_single_readable_recording_has_failed(tmp_path):
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    (recordings / "broken.wav").write_bytes(b"no sound")
    folder = make_job(tmp_path / "output", recordings)

    outcome = run(folder, loudness())

    assert (outcome.state, outcome.files_failed, outcome.clips) == ("failed", 1, 0)
    assert len(predictions(folder)) == 0


def test_a_clip_that_cannot_be_read_leaves_a_row_without_scores(three, tmp_path):
    # Arrange
    samples = noise(RATE * 5, seed=9)
    samples[int(RATE * 2.5)] = np.nan
    write_sound(three / "nan.wav", samples, RATE, "FLOAT")
    folder = make_job(tmp_path / "output", three, formats=("csv", "parquet"))

    # Act
    outcome = run(folder, loudness())

    # Assert
    table = predictions(folder)
    empty = table[table.isna().any(axis=1)]
    assert rows(empty) == [("nan.wav", 2.0)]
    assert len(table) == 15
    assert (outcome.files_failed, outcome.clips) == (0, 14)
    code, message = failures(folder)["nan.wav"]
    assert code == 1002
    assert message.startswith("1 of 5 clips could not be read")


def test_a_recording_without_a_readable_clip_has_failed_and_has_no_rows(three, tmp_path):
    write_sound(three / "nan.wav", np.full(RATE * 3, np.nan, np.float32), RATE, "FLOAT")
    folder = make_job(tmp_path / "output", three)

    outcome = run(folder, loudness())

    assert (outcome.files_done, outcome.files_failed) == (3, 1)
    assert rows(predictions(folder)) == expected_rows(folder)
    assert failures(folder)["nan.wav"][0] == 1002


def test_preprocessing_that_breaks_on_one_clip_breaks_nothing_else(three, tmp_path):
    folder = make_job(tmp_path / "output", three)

    outcome = run(folder, loudness(odd_seconds=(3.0,)))

    assert outcome.files_failed == 0
    assert outcome.clips == 8
    assert set(failures(folder)) == {"r0.wav", "r2.wav"}
    assert "an odd clip" in failures(folder)["r0.wav"][1]


def test_a_file_that_is_cut_off_is_scored_as_far_as_it_goes(tmp_path):
    # Arrange
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    path = write_sound(recordings / "cut.flac", noise(RATE * 20, seed=1), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    folder = make_job(tmp_path / "output", recordings)

    # Act
    outcome = run(folder, loudness())

    # Assert
    scored = predictions(folder).dropna()
    assert 5 <= len(scored) <= 11
    assert outcome.files_failed == 0
    assert "clips could not be read" in failures(folder)["cut.flac"][1]


def test_done_recordings_are_not_scored_again(three, tmp_path):
    # Arrange
    folder = make_job(tmp_path / "output", three)
    run(folder, loudness())
    before = folder.predictions_path.read_bytes()
    again = Loudness()

    # Act
    outcome = run(folder, OneModel(again))

    # Assert
    assert again.batches == []
    assert (outcome.files_done, outcome.files_skipped, outcome.clips) == (0, 3, 0)
    assert outcome.state == "completed"
    assert folder.predictions_path.read_bytes() == before


class PowerCut(BaseException):
    """What no code of ours catches."""


def stop_after(batches: int, how):
    """Call `how` when `batches` have been scored."""
    left = [batches]

    def before_batch():
        if left[0] == 0:
            how()
        left[0] -= 1

    return before_batch


def cut_power():
    raise PowerCut


@pytest.mark.parametrize("batches", [0, 1, 3, 7])
def test_a_job_that_died_goes_on_inside_the_recording(tmp_path, monkeypatch, batches):
    # Arrange: parts are closed after every event, so that there is something to go on from
    monkeypatch.setattr(books, "LONGEST_PART_SECONDS", 0.0)
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    write_sound(recordings / "a.wav", noise(RATE * 21, seed=1), RATE)
    write_sound(recordings / "b.wav", noise(RATE * 10, seed=2), RATE)
    undisturbed = make_job(tmp_path / "undisturbed", recordings)
    run(undisturbed, loudness())
    folder = make_job(tmp_path / "output", recordings)

    # Act
    with pytest.raises(PowerCut):
        run(folder, loudness(before_batch=stop_after(batches, cut_power)))
    kept = sum(len(clips) for clips in parts_hold(folder).values())
    resumed = Loudness()
    run(folder, OneModel(resumed))

    # Assert
    assert kept == batches * 4
    assert sum(resumed.batches) == 31 - kept
    assert parts_hold(folder) == {"a.wav": list(range(21)), "b.wav": list(range(10))}
    assert folder.predictions_path.read_bytes() == undisturbed.predictions_path.read_bytes()


def test_a_cancelled_job_keeps_what_is_scored_and_goes_on(three, tmp_path, no_new_threads):
    # Arrange
    folder = make_job(tmp_path / "output", three)
    token = CancelToken()

    # Act
    with pytest.raises(RequestCancelled):
        run(folder, loudness(before_batch=stop_after(1, token.cancel)), token=token)
    kept = sum(len(clips) for clips in parts_hold(folder).values())
    resumed = Loudness()
    run(folder, OneModel(resumed))

    # Assert
    assert kept >= 4
    assert sum(resumed.batches) == 10 - kept
    assert rows(predictions(folder)) == expected_rows(folder)


def test_a_cancel_is_heeded_while_a_model_loads(three, tmp_path, monkeypatch):
    # Arrange
    folder = make_job(tmp_path / "output", three)
    token, loading = CancelToken(), threading.Event()
    monkeypatch.setattr("ml_runtime.models.registry._load", lambda *args, **options: loading.wait(30))

    # Act
    threading.Timer(0.2, token.cancel).start()
    began = time.monotonic()
    with pytest.raises(RequestCancelled):
        run(folder, ModelProvider(), token=token)

    # Assert
    loading.set()
    assert time.monotonic() - began < 5


def test_a_changed_recording_is_scored_anew_and_its_old_scores_are_gone(three, tmp_path):
    # Arrange
    folder = make_job(tmp_path / "output", three)
    run(folder, loudness())
    write_sound(three / "r1.wav", 0.5 * noise(RATE * 3, seed=8), RATE)
    model = Loudness()

    # Act
    outcome = run(folder, OneModel(model))

    # Assert
    assert (sum(model.batches), outcome.files_done, outcome.files_skipped) == (3, 1, 2)
    assert parts_hold(folder) == {"r0.wav": [0, 1, 2, 3], "r1.wav": [0, 1, 2], "r2.wav": [0, 1, 2, 3]}
    table = predictions(folder)
    assert [name for name, _ in rows(table)] == ["r0.wav"] * 4 + ["r1.wav"] * 3 + ["r2.wav"] * 4


def test_new_recordings_are_picked_up_and_those_that_left_keep_their_scores(three, tmp_path):
    # Arrange
    folder = make_job(tmp_path / "output", three)
    run(folder, loudness())
    (three / "r0.wav").unlink()
    write_sound(three / "r10.wav", noise(RATE, seed=8), RATE)

    # Act
    outcome = run(folder, loudness())

    # Assert
    assert (outcome.files_total, outcome.files_done, outcome.files_skipped) == (3, 1, 2)
    order = list(dict.fromkeys(name for name, _ in rows(predictions(folder))))
    assert order == ["r1.wav", "r2.wav", "r10.wav", "r0.wav"]


def test_recordings_that_are_new_are_said(three, tmp_path):
    # Arrange
    folder = make_job(tmp_path / "output", three)
    first = run(folder, loudness())
    write_sound(three / "r10.wav", noise(RATE, seed=8), RATE)
    told = []

    # Act
    outcome = run(folder, loudness(), on_progress=told.append)

    # Assert
    assert (first.files_added, outcome.files_added) == (0, 1)
    assert "1 new recordings since this job ran before" in [progress.message for progress in told]
    assert run(folder, loudness()).files_added == 0


def test_a_recording_that_was_never_scored_and_is_gone_at_the_next_run_is_reported(three, tmp_path):
    # Arrange
    (three / "broken.wav").write_bytes(b"no sound")
    folder = make_job(tmp_path / "output", three)
    with pytest.raises(RequestFailed):
        run(folder, loudness(before_batch=stop_after(1, fail)))
    for name in ("r0.wav", "r2.wav", "broken.wav"):
        (three / name).unlink()

    # Act
    outcome = run(folder, loudness())

    # Assert: r0 is scored, and what broken.wav held is known
    assert {name: code for name, (code, _) in failures(folder).items()} == {"r2.wav": 1001}
    assert (outcome.files_total, outcome.files_done, outcome.files_failed) == (2, 1, 1)
    assert [name for name, _ in rows(predictions(folder))] == ["r1.wav"] * 2 + ["r0.wav"] * 4


def fail():
    raise RequestFailed("the model failed")


def test_failed_recordings_are_tried_again(three, tmp_path):
    # Arrange
    good = (three / "r1.wav").read_bytes()
    (three / "r1.wav").write_bytes(b"")
    folder = make_job(tmp_path / "output", three)
    run(folder, loudness())
    (three / "r1.wav").write_bytes(good)

    # Act
    outcome = run(folder, loudness())

    # Assert
    assert (outcome.files_done, outcome.files_failed) == (1, 0)
    assert failures(folder) == {}
    assert rows(predictions(folder)) == expected_rows(folder)


def test_a_changed_config_is_refused_with_its_place(three, tmp_path):
    # Arrange
    folder = make_job(tmp_path / "output", three)
    run(folder, loudness())
    config = folder.read_config()
    inference = config.inference.__class__(clip_overlap_seconds=0.5, batch_size=2)
    folder.write_config(
        config.__class__(model=config.model, input=config.input, output=config.output, inference=inference)
    )

    # Act, Assert
    with pytest.raises(ConfigInvalid, match=r"clipOverlapSeconds") as refused:
        run(folder, loudness())
    assert "batchSize" not in refused.value.message


def test_a_changed_model_is_refused(three, tmp_path):
    folder = make_job(tmp_path / "output", three)
    run(folder, loudness())

    with pytest.raises(ConfigInvalid, match="model has changed"):
        run(folder, loudness(card=replace(CARD, weights="loudness 2")))


def test_the_ledger_is_brought_up_to_the_parts(three, tmp_path):
    # Arrange
    folder = make_job(tmp_path / "output", three)
    run(folder, loudness())
    lines = folder.ledger_path.read_bytes().splitlines(keepends=True)
    folder.ledger_path.write_bytes(b"".join(lines[:-2]) + lines[-2][:30])

    # Act
    run(folder, loudness())

    # Assert
    done = [Path(e.recording.file).name for e in Ledger(folder.ledger_path).read() if isinstance(e, Done)]
    assert sorted(done) == ["r0.wav", "r1.wav", "r2.wav"]


def test_the_sparse_layout_keeps_the_best_three_by_default(three, tmp_path):
    # Arrange
    names = tuple(f"class {index}" for index in range(5))

    class Graded(Loudness):
        def score(self, prepared):
            return np.arange(5.0, dtype=np.float32)[None, :] + np.array(prepared, np.float32)[:, :1]

    model = OneModel(Graded(card=replace(CARD, classes=names)))
    folder = make_job(tmp_path / "output", three, layout="sparse")

    # Act
    run(folder, model)

    # Assert
    lines = folder.predictions_path.read_text().splitlines()
    assert lines[0] == "file,start_time,end_time,class,score"
    assert len(lines) == 1 + 10 * 3
    assert [line.split(",")[3] for line in lines[1:4]] == ["class 2", "class 3", "class 4"]
    summary = json.loads(folder.summary_path.read_text())
    assert (summary["layout"], summary["threshold"], summary["topK"]) == ("sparse", None, 3)


@pytest.mark.parametrize(("classes", "layout"), [(500, "dense"), (501, "sparse")])
def test_the_layout_is_dense_up_to_500_classes(three, tmp_path, classes, layout):
    # Arrange
    names = tuple(f"class {index}" for index in range(classes))

    class Many(Loudness):
        def score(self, prepared):
            return np.random.default_rng(0).normal(size=(len(prepared), classes)).astype(np.float32)

    folder = make_job(tmp_path / "output", three)

    # Act
    run(folder, OneModel(Many(card=replace(CARD, classes=names))))

    # Assert
    assert json.loads(folder.summary_path.read_text())["layout"] == layout
    assert parts_hold(folder) == {"r0.wav": [0, 1, 2, 3], "r1.wav": [0, 1], "r2.wav": [0, 1, 2, 3]}


def test_a_threshold_keeps_only_what_reaches_it(three, tmp_path):
    dense = make_job(tmp_path / "dense", three)
    run(dense, loudness())
    threshold = float(predictions(dense)["peak"].median())
    folder = make_job(tmp_path / "output", three, layout="sparse", threshold=threshold)

    run(folder, loudness())

    kept = folder.predictions_path.read_text().splitlines()[1:]
    assert len(kept) == (predictions(dense) >= threshold).sum().sum()
    assert all(float(line.split(",")[4]) >= threshold for line in kept)


def test_a_full_disk_stops_the_job_and_room_lets_it_go_on(three, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, "1m"):
        # Arrange
        folder = make_job(disk, three)
        ballast = []

        # Act
        with pytest.raises(DiskFull):
            run(folder, loudness(before_batch=stop_after(0, lambda: ballast.append(fill(disk)))))
        ballast[0].unlink()
        outcome = run(folder, loudness())

        # Assert
        assert outcome.state == "completed"
        assert rows(predictions(folder)) == expected_rows(folder)


def test_a_job_folder_that_cannot_be_written_is_refused(three, tmp_path):
    folder = make_job(tmp_path / "output", three)

    with refusing(folder.scores_path), pytest.raises(PermissionRefused, match="part-000001"):
        run(folder, loudness())


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"clip_overlap_seconds": 1.0}, r"\$\.inference\.clipOverlapSeconds"),
        ({"classes": ("mean", "Peaks")}, r"\$\.inference\.classes.*'Peaks'"),
    ],
)
def test_a_config_that_does_not_fit_the_model_is_refused_with_its_place(three, tmp_path, options, place):
    folder = make_job(tmp_path / "output", three, **options)

    with pytest.raises(ConfigInvalid, match=place):
        run(folder, loudness())


def test_an_unknown_class_is_answered_with_the_nearest(three, tmp_path):
    folder = make_job(tmp_path / "output", three, classes=("Peek",))

    with pytest.raises(ConfigInvalid) as refused:
        run(folder, loudness())
    assert "peak" in refused.value.hint


def test_no_recordings_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()

    with pytest.raises(FileMissing):
        run(make_job(tmp_path / "output", tmp_path / "empty"), loudness())


def test_progress_begins_with_the_model_and_ends_with_all_clips(three, tmp_path, monkeypatch):
    # Arrange
    monkeypatch.setattr("ml_runtime.run._REPORT_SECONDS", 0.0)
    (three / "broken.wav").write_bytes(b"no sound")
    told = []

    # Act
    run(make_job(tmp_path / "output", three), loudness(), on_progress=told.append)

    # Assert
    messages = [progress.message for progress in told]
    assert messages.index("loading the model") < messages.index("scoring")
    assert "scoring r2.wav" in messages
    counted = [progress for progress in told if progress.done is not None]
    assert [progress.done for progress in counted] == sorted(progress.done for progress in counted)
    assert all(0 <= progress.percentage <= 100 for progress in counted if progress.percentage is not None)
    last = counted[-1]
    assert (last.done, last.total, last.unit, last.failed, last.eta_seconds) == (10, 10, "clips", 1, 0)
    assert last.clips_per_second > 0
    assert last.realtime_factor > 0


@pytest.mark.parametrize("workers", [1, 3])
def test_reading_ahead_is_bounded(tmp_path, workers):
    """A long recording is never prepared as a whole: memory does not grow with its length."""
    # Arrange
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    write_sound(recordings / "long.wav", noise(RATE * 300, seed=1), RATE)
    prepared, most, lock = [0], [0], threading.Lock()

    class Counting(Loudness):
        def prepare(self, sound, start_seconds, end_seconds):
            with lock:
                prepared[0] += 1
                most[0] = max(most[0], prepared[0])
            return super().prepare(sound, start_seconds, end_seconds)

        def score(self, samples):
            time.sleep(0.001)
            with lock:
                prepared[0] -= len(samples)
            return super().score(samples)

    # Act
    outcome = run(make_job(tmp_path / "output", recordings, workers=workers), OneModel(Counting()))

    # Assert
    assert outcome.clips == 300
    assert most[0] <= 4 * (2 * workers + 4)
