"""What a job does when memory runs out, recordings or their drive vanish, or its process has died before."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ml_runtime import books
from ml_runtime.pipeline.memory import Thrifty
from rpc.errors import InputGone, OutOfMemory, WorkerCrashed
from survey.crashes import in_hand
from survey.ledger import Crashed, Ledger, moment
from tests.ml_runtime.jobs import failures, ledger, make_job, predictions, run
from tests.ml_runtime.loudness import Loudness, OneModel
from tests.sounds import noise, write_sound

RATE = 8000
CUDA = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory")


@pytest.fixture
def recordings(tmp_path) -> Path:
    """Five of 4 s, a clip a second."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for index in range(5):
        write_sound(folder / f"r{index}.wav", noise(RATE * 4, seed=index), RATE)
    return folder


# ---------------------------------------------------------------- memory


class Small(Loudness):
    """A model on a device that holds `room` clips."""

    room = 3
    error: Exception = CUDA

    def score(self, prepared):
        if len(prepared) > self.room:
            raise self.error
        return super().score(prepared)


@pytest.mark.parametrize("error", [CUDA, CPU, MemoryError()], ids=["cuda", "cpu", "python"])
def test_a_batch_that_does_not_fit_is_halved_and_so_are_those_after_it(recordings, tmp_path, error):
    undisturbed = make_job(tmp_path / "undisturbed", recordings)
    run(undisturbed, OneModel(Loudness()))
    folder, model = make_job(tmp_path / "output", recordings), Small()
    model.error = error

    outcome = run(folder, OneModel(model))

    assert outcome.clips == 20
    assert model.batches == [2] * 10
    assert folder.predictions_path.read_bytes() == undisturbed.predictions_path.read_bytes()


def test_a_clip_that_does_not_fit_by_itself_is_told_as_that(recordings, tmp_path):
    model = Small()
    model.room = 0

    with pytest.raises(OutOfMemory, match="a single clip"):
        run(make_job(tmp_path / "output", recordings), OneModel(model))


def test_another_error_of_the_model_is_not_taken_for_a_lack_of_memory():
    model = Small()
    model.error = RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        Thrifty(model).score([[0.0, 0.0]] * 4)
    model.error = CUDA
    assert np.array_equal(Thrifty(model).score([[float(n), 0.0] for n in range(7)])[:, 0], np.arange(7))


# ---------------------------------------------------------------- recordings that vanish


@pytest.fixture
def before_opening(monkeypatch):
    """Have something happen, once, just before a recording is opened."""
    from ml_runtime.books import Books

    original = Books.announce

    def arrange(name: str, do) -> None:
        waiting = [do]

        def announce(books, path):
            if path.name == name and waiting:
                waiting.pop()()
            original(books, path)

        monkeypatch.setattr(Books, "announce", announce)

    return arrange


def test_a_recording_that_vanishes_fails_and_the_others_are_scored(recordings, tmp_path, before_opening):
    before_opening("r3.wav", (recordings / "r3.wav").unlink)
    folder = make_job(tmp_path / "output", recordings)

    outcome = run(folder, OneModel(Loudness()))

    assert (outcome.state, outcome.files_done, outcome.files_failed) == ("completed", 4, 1)
    assert {name: code for name, (code, _) in failures(folder).items()} == {"r3.wav": 1001}
    assert len(predictions(folder)) == 16


def test_a_recording_that_vanishes_while_it_is_scored_keeps_its_clips_until_then(tmp_path):
    # Arrange: an MP3 is opened anew for each clip
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    write_sound(recordings / "long.mp3", noise(32000 * 40, seed=1), 32000)
    write_sound(recordings / "other.wav", noise(32000, seed=1), 32000)
    folder, model = make_job(tmp_path / "output", recordings, workers=1), Loudness()
    model.before_batch = lambda: len(model.batches) == 1 and (recordings / "long.mp3").unlink(missing_ok=True)

    # Act
    outcome = run(folder, OneModel(model))

    # Assert
    assert (outcome.files_done, outcome.files_failed) == (1, 1)
    assert "has vanished" in failures(folder)["long.mp3"][1]
    scored = [file for file, _, _ in predictions(folder).index if file.endswith("long.mp3")]
    assert 8 <= len(scored) < 40
    assert not predictions(folder).isna().any().any()


@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
def test_a_job_whose_folder_is_gone_stops_and_goes_on_when_it_is_back(recordings, tmp_path, before_opening, left):
    # Arrange
    def unplug():
        recordings.rename(tmp_path / "unplugged")
        if left == "an empty folder":
            recordings.mkdir()

    before_opening("r3.wav", unplug)
    folder = make_job(tmp_path / "output", recordings)

    # Act
    with pytest.raises(InputGone, match=str(recordings)) as gone:
        run(folder, OneModel(Loudness()))
    with pytest.raises(InputGone):
        run(folder, OneModel(Loudness()))
    shutil.rmtree(recordings, ignore_errors=True)
    (tmp_path / "unplugged").rename(recordings)
    model = Loudness()
    outcome = run(folder, OneModel(model))

    # Assert
    assert "Plug it in" in str(gone.value.hint)
    assert outcome.state == "completed"
    assert failures(folder) == {}
    assert len(predictions(folder)) == 20
    assert sum(model.batches) < 20


def test_named_files_whose_folder_is_gone_stop_the_job_too(recordings, tmp_path):
    folder = make_job(tmp_path / "output", sorted(recordings.iterdir()))
    recordings.rename(tmp_path / "unplugged")

    with pytest.raises(InputGone):
        run(folder, OneModel(Loudness()))


# ---------------------------------------------------------------- after a crash


class Crash(BaseException):
    """The process dies, and no code of ours hears of it."""


def crash_on(*names: str):
    """A model that ends its process when it prepares a clip of one of the recordings."""

    class Fragile(Loudness):
        def prepare(self, sound, start_seconds, end_seconds):
            if sound.path.name in names:
                raise Crash
            return super().prepare(sound, start_seconds, end_seconds)

    return OneModel(Fragile())


def enter_crash(folder) -> set[str]:
    """As the sidecar does when a worker dies: names of the suspects."""
    entered = Ledger(folder.ledger_path)
    held = in_hand(entered.read(), moment(folder.read_record().started_at))
    entered.append(*(Crashed(recording=recording) for recording in held))
    return {Path(recording.file).name for recording in held}


def begin(folder) -> None:
    """As the sidecar does when a run begins."""
    from datetime import UTC, datetime

    import msgspec

    folder.write_record(msgspec.structs.replace(folder.read_record(), started_at=datetime.now(UTC).isoformat()))


def test_a_recording_that_crashes_twice_is_passed_over_and_the_rest_is_scored(recordings, tmp_path):
    # Arrange
    folder = make_job(tmp_path / "output", recordings)
    begin(folder)

    # Act
    crashes = []
    for _ in range(2):
        with pytest.raises(Crash):
            run(folder, crash_on("r1.wav"))
        crashes.append(enter_crash(folder))
    outcome = run(folder, crash_on("r1.wav"))

    # Assert
    assert "r1.wav" in crashes[0]
    assert crashes[1] == {"r1.wav"}
    assert {name: code for name, (code, _) in failures(folder).items()} == {"r1.wav": WorkerCrashed.code}
    assert (outcome.state, outcome.files_done, outcome.files_failed, outcome.files_skipped) == ("completed", 4, 1, 0)
    assert outcome.clips == 16
    assert len(predictions(folder)) == 16


def test_a_culprit_stays_passed_over_in_its_run_and_is_tried_once_in_the_next(recordings, tmp_path):
    # Arrange
    folder = make_job(tmp_path / "output", recordings)
    begin(folder)
    for _ in range(2):
        with pytest.raises(Crash):
            run(folder, crash_on("r1.wav"))
        enter_crash(folder)
    run(folder, crash_on("r1.wav"))

    # Act
    same_run = run(folder, crash_on("r1.wav"))
    begin(folder)
    with pytest.raises(Crash):
        run(folder, crash_on("r1.wav"))
    enter_crash(folder)
    outcome = run(folder, crash_on("r1.wav"))
    begin(folder)
    repaired = run(folder, OneModel(Loudness()))

    # Assert
    assert same_run.files_failed == outcome.files_failed == 1
    assert outcome.failures[0].code == WorkerCrashed.code
    assert (repaired.files_done, repaired.files_skipped, repaired.files_failed) == (1, 4, 0)
    assert failures(folder) == {}


def test_suspects_come_last_and_are_opened_one_by_one(recordings, tmp_path):
    # Arrange
    folder = make_job(tmp_path / "output", recordings)
    begin(folder)
    with pytest.raises(Crash):
        run(folder, crash_on("r0.wav"))
    suspects = enter_crash(folder)
    before = len(ledger(folder))

    # Act
    run(folder, OneModel(Loudness()))

    # Assert
    about = [(event, name) for event, name in ledger(folder)[before:] if event in ("started", "scored")]
    innocent = {f"r{index}.wav" for index in range(5)} - suspects
    assert {name for _, name in about[: 2 * len(innocent)]} == innocent
    alone = about[2 * len(innocent) :]
    assert [event for event, _ in alone] == ["started", "scored"] * len(suspects)


def test_a_run_that_crashed_inside_a_recording_counts_every_clip_once(recordings, tmp_path, monkeypatch):
    # Arrange: parts are closed after every batch
    monkeypatch.setattr(books, "LONGEST_PART_SECONDS", 0.0)
    folder, model = make_job(tmp_path / "output", recordings), Loudness()
    model.card = replace(model.card, batch_size=3)

    def crash_after_two_batches():
        if len(model.batches) == 2:
            raise Crash

    model.before_batch = crash_after_two_batches
    begin(folder)

    # Act
    with pytest.raises(Crash):
        run(folder, OneModel(model))
    enter_crash(folder)
    outcome = run(folder, OneModel(Loudness()))

    # Assert
    assert (outcome.clips, outcome.audio_seconds, outcome.files_done) == (20, 20.0, 5)
