"""sidecar.jobs: jobs with a real process for a worker, which does what workers do on bad days."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from rpc.call import Progress
from rpc.cancel import CancelToken
from rpc.errors import (
    Busy,
    ConfigInvalid,
    DiskFull,
    EnvironmentNotReady,
    FileMissing,
    InternalError,
    InvalidParams,
    JobNotFound,
    ModelNotFound,
    PermissionRefused,
    RequestCancelled,
    WorkerCrashed,
)
from schemas.config import InferenceConfig, InputConfig, OutputConfig, RibbitModel
from sidecar.jobs.active import ActiveJob
from survey.job_folder import JobFolder
from survey.ledger import Done, Failed, Ledger, Stamp
from tests.sidecar.jobs.conftest import PATIENCE_SECONDS, PYTHON, Jobs, sound

posix = pytest.mark.skipif(os.name == "nt", reason="signals")


def test_a_job_runs_to_its_end(jobs: Jobs) -> None:
    job = jobs.start()

    report = job.future.result(PATIENCE_SECONDS)

    assert report.state == "completed"
    assert (report.files_total, report.files_done, report.clips) == (2, 2, 2)
    assert report.realtime_factor == 3.0
    assert (report.name, report.model) == ("ok", "ok")
    assert jobs.changes.of(job.job_id) == ["queued", "preparing", "running", "completed"]
    record = JobFolder.open(report.job_folder).read_record()
    assert (record.state, record.clips, record.environment) == ("completed", 2, str(PYTHON))
    assert not JobFolder.open(report.job_folder).is_locked()


def test_progress_is_passed_on_and_names_the_job_first(jobs: Jobs) -> None:
    told: list[Progress] = []
    job, release = jobs.waiting()
    told.append(job.whereabouts())
    job.listen(told.append)
    release.touch()
    job.future.result(PATIENCE_SECONDS)

    assert (told[0].job_id, told[0].job_folder) == (job.job_id, str(job.folder.path))
    assert told[1].message == "scoring"


def test_the_second_job_finds_the_worker_warm(jobs: Jobs) -> None:
    first = jobs.manager.models(PYTHON, CancelToken()).result(PATIENCE_SECONDS)
    told: list[Progress] = []
    job = jobs.start()
    job.listen(told.append)
    job.future.result(PATIENCE_SECONDS)
    second = jobs.manager.models(PYTHON, CancelToken()).result(PATIENCE_SECONDS)

    assert first.models[0].description == second.models[0].description
    assert not any("starting" in (progress.message or "") for progress in told)


def test_an_idle_worker_is_ended(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs(idle_seconds=0.05)
    first = jobs.manager.models(PYTHON, CancelToken()).result(PATIENCE_SECONDS)
    gone = threading.Event()
    while jobs.manager.is_warm(PYTHON):
        gone.wait(0.01)

    second = jobs.manager.models(PYTHON, CancelToken()).result(PATIENCE_SECONDS)

    assert first.models[0].description != second.models[0].description


CRASHES = [
    pytest.param("exit", "exit code 7", "Resume", id="exit"),
    pytest.param("killed", "SIGKILL", "memory", id="killed", marks=posix),
    pytest.param("segfault", "SIGSEGV", "crashed", id="segfault", marks=posix),
]


@pytest.mark.parametrize(("behaviour", "how", "advice"), CRASHES)
def test_a_crash_is_told_with_the_last_words_and_the_next_job_runs(
    jobs: Jobs, behaviour: str, how: str, advice: str
) -> None:
    job = jobs.start(behaviour)

    with pytest.raises(WorkerCrashed, match=how) as caught:
        job.future.result(PATIENCE_SECONDS)

    assert "the last words" in caught.value.message
    assert advice in str(caught.value.hint)
    assert (caught.value.job_id, caught.value.state) == (job.job_id, "failed")
    assert any("the last words" in line for line in jobs.manager.log_of(job.job_id, 100))
    assert jobs.start().future.result(PATIENCE_SECONDS).state == "completed"


def test_a_warning_is_no_cause_of_a_crash_but_stands_in_the_log(jobs: Jobs) -> None:
    job = jobs.start("warns and exits")

    with pytest.raises(WorkerCrashed) as caught:
        job.future.result(PATIENCE_SECONDS)

    assert "UserWarning" not in caught.value.message
    assert "all but the last moments" in str(caught.value.hint)
    assert any("UserWarning" in line for line in jobs.manager.log_of(job.job_id, 100))


def test_an_environment_without_a_package_is_told_as_that(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_WORKER_LACKS", "msgspec")

    with pytest.raises(EnvironmentNotReady, match="lacks msgspec"):
        jobs.start().future.result(PATIENCE_SECONDS)


def test_an_interpreter_that_is_none(jobs: Jobs) -> None:
    with pytest.raises(EnvironmentNotReady):
        jobs.manager.start(jobs.config(), Path(jobs.folder / "python"), CancelToken())

    assert jobs.manager.list(None, 10) == ()
    assert not (jobs.folder / "output").exists() or list((jobs.folder / "output").iterdir()) == []


@posix
@pytest.mark.parametrize("program", ["true", "false", "echo"])
def test_a_program_that_is_no_interpreter(jobs: Jobs, program: str) -> None:
    path = shutil.which(program)
    assert path is not None
    with pytest.raises(EnvironmentNotReady, match="is no Python interpreter"):
        jobs.manager.start(jobs.config(), Path(path), CancelToken())
    with pytest.raises(EnvironmentNotReady, match="is no Python interpreter"):
        jobs.manager.models(Path(path), CancelToken()).result(PATIENCE_SECONDS)


def test_a_worker_that_speaks_no_protocol(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_WORKER_BABBLES", "1")

    with pytest.raises(WorkerCrashed, match="other than messages"):
        jobs.start().future.result(PATIENCE_SECONDS)


def test_a_worker_that_floods_its_output_does_no_harm(jobs: Jobs) -> None:
    assert jobs.start("floods").future.result(PATIENCE_SECONDS).state == "completed"


def test_a_worker_that_lies_is_a_failure(jobs: Jobs) -> None:
    with pytest.raises(WorkerCrashed):
        jobs.start("lies").future.result(PATIENCE_SECONDS)


def test_an_error_of_the_worker_comes_as_it_is_with_the_job_in_it(jobs: Jobs) -> None:
    job = jobs.start("unknown")

    with pytest.raises(ModelNotFound) as caught:
        job.future.result(PATIENCE_SECONDS)

    assert caught.value.hint == "Did you mean `known`?"
    assert (caught.value.job_id, caught.value.state) == (job.job_id, "failed")
    assert jobs.manager.get(job.job_id).message == "There is no such model."


def test_a_full_disk_pauses_the_job(jobs: Jobs) -> None:
    job = jobs.start("disk full")

    with pytest.raises(DiskFull):
        job.future.result(PATIENCE_SECONDS)

    assert jobs.manager.get(job.job_id).state == "paused"


# ---------------------------------------------------------------- cancelling


def test_cancelling_a_running_job(jobs: Jobs) -> None:
    job, _ = jobs.waiting()

    jobs.manager.cancel(job.job_id)

    with pytest.raises(RequestCancelled) as caught:
        job.future.result(PATIENCE_SECONDS)
    assert (caught.value.job_id, caught.value.job_folder, caught.value.state) == (
        job.job_id, str(job.folder.path), "cancelled",
    )  # fmt: skip
    assert jobs.manager.get(job.job_id).state == "cancelled"


def test_cancelling_a_worker_that_does_not_listen_ends_it(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs(cancel_grace_seconds=0.2)
    job = jobs.start("deaf")
    jobs.changes.wait_for(job.job_id, "running")

    jobs.manager.cancel(job.job_id)

    with pytest.raises(RequestCancelled):
        job.future.result(PATIENCE_SECONDS)
    assert jobs.start().future.result(PATIENCE_SECONDS).state == "completed"


def test_one_job_runs_and_others_wait_and_a_waiting_one_is_cancelled_at_once(jobs: Jobs) -> None:
    first, release = jobs.waiting()
    second, third = jobs.start("ok"), jobs.start("ok")

    assert (jobs.manager.running, jobs.manager.queued) == (1, 2)
    assert jobs.manager.cancel(second.job_id).state == "cancelled"
    with pytest.raises(RequestCancelled):
        second.future.result(0)

    release.touch()
    assert first.future.result(PATIENCE_SECONDS).state == "completed"
    assert third.future.result(PATIENCE_SECONDS).state == "completed"
    assert jobs.changes.of(second.job_id) == ["queued", "cancelled"]


def test_cancelling_a_job_that_has_ended_changes_nothing(jobs: Jobs) -> None:
    job = jobs.start()
    job.future.result(PATIENCE_SECONDS)

    assert jobs.manager.cancel(job.job_id).state == "completed"
    with pytest.raises(JobNotFound):
        jobs.manager.cancel("unknown")


def test_recordings_that_could_not_be_scored_are_told_with_their_reasons(jobs: Jobs) -> None:
    job, release = jobs.waiting()
    ledger = Ledger(job.folder.ledger_path)
    bad, mended, whole = (Stamp(name, 1, 1) for name in ("bad.wav", "mended.wav", "whole.wav"))
    ledger.append(
        Failed(recording=bad, code=1002, message="bad.wav is cut off."),
        Failed(recording=mended, code=1001, message="mended.wav is missing."),
        Done(recording=mended, clips=7, audio_seconds=21.0),
        Done(recording=whole, clips=7, audio_seconds=21.0, unreadable=2, message="a torn frame"),
    )

    told = jobs.manager.failures_of(job.job_id)
    release.touch()

    assert [(failure.path, failure.code) for failure in told] == [("bad.wav", 1002), ("whole.wav", 1002)]
    assert told[0].message == "bad.wav is cut off."
    assert told[1].message.startswith("2 of 7 clips could not be read")
    with pytest.raises(JobNotFound):
        jobs.manager.failures_of("unknown")


def enter(job: ActiveJob, *names: str) -> None:
    """Write into the ledger, as a worker does, that recordings of 7 clips are done."""
    for name in names:
        stamp = Stamp(name, 1, 1)
        Ledger(job.folder.ledger_path).append(Done(recording=stamp, clips=7, audio_seconds=21.0, unreadable=1))


def test_a_job_that_stops_early_tells_how_far_it_came(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs()
    cancelled, _ = jobs.waiting()
    enter(cancelled, "a.wav")
    jobs.manager.cancel(cancelled.job_id)
    cancelled.future.exception(PATIENCE_SECONDS)
    interrupted, _ = jobs.waiting()
    enter(interrupted, "a.wav", "b.wav")
    jobs.manager.close()
    interrupted.future.exception(PATIENCE_SECONDS)

    listed = {job.job_id: job for job in make_jobs().manager.list(None, 10)}

    first, second = listed[cancelled.job_id], listed[interrupted.job_id]
    assert (first.state, first.files_total, first.files_done, first.clips) == ("cancelled", 2, 1, 6)
    assert (second.state, second.files_total, second.files_done, second.clips) == ("interrupted", 2, 2, 12)


def test_a_job_whose_sidecar_was_killed_tells_how_far_it_came(jobs: Jobs) -> None:
    job, release = jobs.waiting()
    running = job.folder.read_record()
    enter(job, "a.wav")
    release.touch()
    job.future.result(PATIENCE_SECONDS)
    job.folder.write_record(running)

    found = jobs.manager.get(job.job_id)

    assert (found.state, found.files_done, found.files_skipped, found.clips) == ("interrupted", 1, 0, 6)


# ---------------------------------------------------------------- resuming


def test_a_cancelled_job_is_resumed(jobs: Jobs) -> None:
    job, release = jobs.waiting()
    jobs.manager.cancel(job.job_id)
    job.future.exception(PATIENCE_SECONDS)
    release.touch()

    again = jobs.resume(job)
    report = again.future.result(PATIENCE_SECONDS)

    assert (again.job_id, report.job_folder, report.state) == (job.job_id, str(job.folder.path), "completed")


def test_a_finished_job_is_answered_at_once_without_a_worker(make_jobs: Callable[..., Jobs]) -> None:
    first = make_jobs()
    job = first.start()
    job.future.result(PATIENCE_SECONDS)
    first.manager.close()
    second = make_jobs(state="other state")

    again = second.manager.resume(job.folder, PYTHON, CancelToken())

    report = again.future.result(0)
    assert (report.state, report.files_total, report.files_done, report.files_skipped) == ("completed", 2, 0, 2)
    assert not second.manager.is_warm(PYTHON)
    kept = second.manager.get(job.job_id)
    assert (kept.state, kept.files_done, kept.files_skipped, kept.clips) == ("completed", 2, 0, 2)
    assert job.folder.read_record().audio_seconds == 6.0


def test_a_finished_job_to_which_a_recording_was_added_goes_on(jobs: Jobs) -> None:
    job = jobs.start()
    job.future.result(PATIENCE_SECONDS)
    sound(jobs.folder / "recordings" / "c.wav")

    report = jobs.resume(job).future.result(PATIENCE_SECONDS)

    assert (report.files_total, report.files_skipped) == (3, 0)


def test_a_job_whose_config_was_changed_is_refused_with_the_place(jobs: Jobs) -> None:
    job = jobs.start()
    job.future.result(PATIENCE_SECONDS)
    config = job.folder.read_config()
    job.folder.write_config(msgspec.structs.replace(config, inference=InferenceConfig(activation="sigmoid")))

    with pytest.raises(ConfigInvalid, match=r"\$\.inference\.activation"):
        jobs.resume(job)

    job.folder.write_config(msgspec.structs.replace(config, inference=InferenceConfig(batch_size=3)))
    assert jobs.resume(job).future.result(PATIENCE_SECONDS).state == "completed"


def test_a_job_under_way_cannot_be_resumed_here_or_elsewhere(make_jobs: Callable[..., Jobs]) -> None:
    jobs, other = make_jobs(), make_jobs(state="other state")
    job, _ = jobs.waiting()

    with pytest.raises(Busy):
        jobs.resume(job)
    with pytest.raises(Busy):
        other.manager.resume(job.folder, PYTHON, CancelToken())

    assert job.state == "running"


def test_what_is_no_job_cannot_be_resumed(jobs: Jobs, tmp_path: Path) -> None:
    for job_id, folder, error in (
        ("unknown", None, JobNotFound),
        ("../../x", None, JobNotFound),
        (None, str(tmp_path), JobNotFound),
        (None, None, InvalidParams),
        ("a", "b", InvalidParams),
    ):
        with pytest.raises(error):
            jobs.manager.folder_of(job_id, folder)


# ---------------------------------------------------------------- the end of a sidecar


def test_jobs_are_interrupted_when_the_sidecar_ends_and_can_be_resumed(make_jobs: Callable[..., Jobs]) -> None:
    first = make_jobs()
    job, release = first.waiting()
    waiting = first.start("ok")
    first.manager.close()
    job.future.exception(PATIENCE_SECONDS)
    second = make_jobs()

    listed = {known.job_id: known.state for known in second.manager.list(None, 10)}
    release.touch()
    report = second.resume(job).future.result(PATIENCE_SECONDS)

    assert listed == {job.job_id: "interrupted", waiting.job_id: "interrupted"}
    assert report.state == "completed"


def test_a_job_whose_sidecar_was_killed_is_found_interrupted(jobs: Jobs) -> None:
    job = jobs.start()
    job.future.result(PATIENCE_SECONDS)
    record = job.folder.read_record()
    job.folder.write_record(msgspec.structs.replace(record, state="running"))

    assert jobs.manager.get(job.job_id).state == "interrupted"
    assert job.folder.read_record().state == "interrupted"


def test_a_job_that_another_sidecar_runs_is_not_called_interrupted(make_jobs: Callable[..., Jobs]) -> None:
    job, _ = make_jobs().waiting()
    other = make_jobs()

    assert other.manager.get(job.job_id).state == "running"


def test_a_job_that_another_sidecar_runs_can_only_be_cancelled_there(make_jobs: Callable[..., Jobs]) -> None:
    job, _ = make_jobs().waiting()

    with pytest.raises(Busy) as caught:
        make_jobs().manager.cancel(job.job_id)

    assert caught.value.path == str(job.folder.path)
    assert job.state == "running"


# ---------------------------------------------------------------- lists, logs, removal


def test_jobs_are_listed_newest_first_and_by_state(jobs: Jobs) -> None:
    done = jobs.start()
    done.future.result(PATIENCE_SECONDS)
    failed = jobs.start("unknown")
    failed.future.exception(PATIENCE_SECONDS)

    assert {job.job_id for job in jobs.manager.list(None, 10)} == {done.job_id, failed.job_id}
    assert [job.job_id for job in jobs.manager.list("failed", 10)] == [failed.job_id]
    assert len(jobs.manager.list(None, 1)) == 1


def test_a_job_whose_folder_is_out_of_reach_stays_in_the_list(jobs: Jobs) -> None:
    job = jobs.start()
    job.future.result(PATIENCE_SECONDS)
    job.folder.path.rename(jobs.folder / "unplugged")

    listed = jobs.manager.get(job.job_id)

    assert listed.name == "ok"
    assert listed.message


def test_a_removed_job_is_gone_but_not_what_its_user_put_there(jobs: Jobs) -> None:
    kept, deleted, noted = jobs.start(), jobs.start(), jobs.start()
    for job in (kept, deleted, noted):
        job.future.result(PATIENCE_SECONDS)
    (noted.folder.path / "my notes.txt").write_text("owls!")

    jobs.manager.remove(kept.job_id, delete_files=False)
    freed = jobs.manager.remove(deleted.job_id, delete_files=True)
    jobs.manager.remove(noted.job_id, delete_files=True)

    assert jobs.manager.list(None, 10) == ()
    assert kept.folder.config_path.exists()
    assert freed > 0
    assert not deleted.folder.path.exists()
    assert [path.name for path in noted.folder.path.iterdir()] == ["my notes.txt"]


def test_a_job_under_way_is_not_removed(jobs: Jobs) -> None:
    job, _ = jobs.waiting()

    with pytest.raises(Busy):
        jobs.manager.remove(job.job_id, delete_files=True)


def test_the_log_ends_with_its_last_lines(jobs: Jobs) -> None:
    job = jobs.start()
    job.future.result(PATIENCE_SECONDS)

    lines = jobs.manager.log_of(job.job_id, 2)

    assert len(lines) == 2
    assert "running -> completed" in lines[-1]


# ---------------------------------------------------------------- before any work


def test_nothing_is_begun_where_a_run_cannot_start(jobs: Jobs, tmp_path: Path) -> None:
    good = jobs.config()
    (tmp_path / "silent").mkdir()
    (tmp_path / "a file").write_text("x")
    toad = RibbitModel(class_name="toad", signal_band_hz=(1, 2), pulse_rate_hz=(1, 2), clip_seconds=5)
    replace = msgspec.structs.replace
    bad = [
        (replace(good, input=InputConfig(folders=(str(tmp_path / "none"),))), FileMissing, "none"),
        (replace(good, input=InputConfig(folders=(str(tmp_path / "silent"),))), FileMissing, "silent"),
        (replace(good, input=InputConfig()), FileMissing, "names no recordings"),
        (replace(good, output=OutputConfig(folder=str(tmp_path / "a file"))), PermissionRefused, "a file"),
        (replace(good, model=toad, inference=InferenceConfig(clip_overlap_seconds=5)), ConfigInvalid, "clipOverlap"),
    ]

    for config, error, words in bad:
        with pytest.raises(error, match=words):
            jobs.manager.start(config, PYTHON, CancelToken())

    assert jobs.manager.list(None, 10) == ()
    assert not (tmp_path / "output").exists()


def test_a_fault_of_ours_ends_the_job_and_the_next_one_runs(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(jobs.manager._queue, "_score", lambda *_: 1 / 0)
        job = jobs.start()
        with pytest.raises(InternalError):
            job.future.result(PATIENCE_SECONDS)

    assert job.state == "failed"
    assert jobs.start().future.result(PATIENCE_SECONDS).state == "completed"


def test_the_worker_lets_go_of_an_environment_that_is_to_be_replaced(jobs: Jobs) -> None:
    jobs.manager.models(PYTHON, CancelToken()).result(PATIENCE_SECONDS)

    jobs.manager.release(PYTHON.parent / "another")
    warm_before = jobs.manager.is_warm(PYTHON)
    jobs.manager.release(PYTHON.parent)

    assert warm_before
    assert not jobs.manager.is_warm(PYTHON)
    assert jobs.manager.models(PYTHON, CancelToken()).result(PATIENCE_SECONDS).models


def test_an_environment_at_work_is_not_let_go_of(jobs: Jobs) -> None:
    job, release = jobs.waiting()

    with pytest.raises(Busy, match="A job is using the ML environment"):
        jobs.manager.release(PYTHON.parent)

    release.touch()
    assert job.future.result(PATIENCE_SECONDS).state == "completed"
