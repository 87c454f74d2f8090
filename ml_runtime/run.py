"""Running a job: the one way from a job folder to its results, for the worker and for inference.py alike.

What lives here: the order of things. What must not: how a clip is read or scored (pipeline/), what becomes of it
(books.py), what the results look like (results.py).

The caller holds the lock of the job folder and writes its job.json.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml_runtime import history, planning, results
from ml_runtime.books import Books, Tally
from ml_runtime.compat import repairs_made
from ml_runtime.history import Run
from ml_runtime.meter import Meter
from ml_runtime.models.registry import ModelProvider
from ml_runtime.pipeline.ahead import Opened, Unreadable, read_ahead
from ml_runtime.pipeline.batches import Scorer
from ml_runtime.pipeline.choices import Choice, Choices
from ml_runtime.pipeline.memory import Thrifty
from ml_runtime.pipeline.tuning import Tuned
from ml_runtime.planning import RunPlan, fit_readers, plan_run
from ml_runtime.presence import Presence
from ml_runtime.standing import Standing, check_same_basis, take_stock
from rpc.call import Progress
from rpc.cancel import CancelToken
from rpc.errors import FileMissing, InputGone, RequestFailed
from schemas.config import Config, InferenceConfig
from schemas.jobs import Failure
from schemas.worker import JobOutcome
from survey.inputs import find_recordings
from survey.job_folder import JobFolder
from survey.ledger import Done, Ledger, last_events
from survey.parts import Part, PartWriter, read_parts
from survey.paths import path_to_wire
from survey.room import check_room, estimated_seconds
from survey.shards import share_of

OnProgress = Callable[[Progress], None]

_LOG = logging.getLogger(__name__)
_REPORT_SECONDS = 0.1
_REPORTED_FAILURES = 100
_NEW_NAMED = 20


@dataclass(frozen=True, slots=True)
class _Extent:
    """How large a run was beside what it scored: recordings done before it, recordings that are new, seconds."""

    files_skipped: int
    files_added: int
    elapsed_seconds: float


def run_job(
    folder: JobFolder,
    provider: ModelProvider,
    token: CancelToken,
    on_progress: OnProgress,
    *,
    trust: bool = False,
    choices: Choices | None = None,
) -> JobOutcome:
    """Score what the config in `folder` names and its parts do not hold yet, and write the results.

    `choices` remembers how models run fastest on this machine.

    Raises
    ------
    rpc.errors.ConfigInvalid, rpc.errors.FileMissing
        The config does not fit the model or the parts; there are no recordings.
    rpc.errors.ModelNotFound, rpc.errors.ModelLoadFailed, rpc.errors.OutOfMemory
    rpc.errors.DiskFull, rpc.errors.PermissionRefused
        Results cannot be written. Closed parts stay; the job can be resumed.
    rpc.errors.InputGone
        The folder of the recordings is. Closed parts stay; the job can be resumed once it is back.
    rpc.errors.RequestCancelled
        What was scored so far is in closed parts.
    """
    begun = time.monotonic()
    config = folder.read_config()
    tell = _teller(on_progress)
    tell("looking for recordings")
    ledger = Ledger(folder.ledger_path)
    recordings = history.remember(folder, _find(folder, config, token), ledger.read())
    _tell_of_new(recordings.added, tell)
    model = provider.load(config.model, config.inference.device, trust=trust, token=token, tell=tell)
    plan = plan_run(config, model)
    parts = read_parts(folder.scores_path)
    check_same_basis(parts, plan.basis)
    standing = take_stock(recordings.all, parts)
    left = [path for path in standing.stamps if path not in standing.complete]
    check_room(folder.path, plan.results, left)
    _log_start(folder, plan, standing)
    tuned = planning.tuned(plan, estimated_seconds(left) / plan.step_seconds, choices, token, tell)
    _enter_what_parts_know(ledger, standing)
    run = history.look_back(folder, standing, ledger.read())
    skipped = len(standing.complete) - run.tally.files_done
    tally = _score(folder, plan, tuned, standing, run, token, on_progress)
    tell("writing the results")
    elapsed = run.elapsed_seconds() if run.clips_before else time.monotonic() - begun
    return _finish(folder, plan, tuned, standing, tally, _Extent(skipped, len(recordings.added), elapsed))


def _find(folder: JobFolder, config: Config, token: CancelToken) -> Sequence[Path]:
    try:
        return share_of(find_recordings(config.input, token), folder.read_record().shard)
    except FileMissing as error:
        if not folder.recordings_path.exists():
            raise
        # They were there before: a drive is missing now, and the job goes on once it is back.
        raise InputGone(error.message, path=error.path, hint="Plug the drive in again and resume the job.") from error


def _tell_of_new(added: Sequence[Path], tell: Callable[[str], None]) -> None:
    if not added:
        return
    tell(f"{len(added)} new recordings since this job ran before")
    for path in added[:_NEW_NAMED]:
        _LOG.info("new since this job ran before: %s", path)
    _LOG.info("%d new recordings since this job ran before", len(added))


def _score(
    folder: JobFolder,
    plan: RunPlan,
    tuned: Tuned,
    standing: Standing,
    run: Run,
    token: CancelToken,
    on_progress: OnProgress,
) -> Tally:
    """Score every recording that is not complete."""
    writer = PartWriter(folder.scores_path, plan.basis, plan.keep)
    ledger = Ledger(folder.ledger_path)
    presence = Presence(plan.config.input)
    books = Books(writer, ledger, standing, presence, tally=run.tally)
    for path, error in standing.gone.items():
        books.fail(path, error if standing.stamps else presence.loss_of(path) or error)
    unfinished = [path for path in standing.recordings if path in standing.stamps and path not in standing.complete]
    meter = Meter(standing, run.tally)
    for path in (path for path in unfinished if path in run.guilty):
        books.fail(path, history.passed_over(path))
        meter.passed_over(path)

    def settled(choice: Choice) -> None:
        fit_readers(plan, tuned.milliseconds)
        writer.made_with = results.made_with(plan.model.card, plan.basis, choice.batch_size, choice.plan)
        results.write_environment(folder, plan.model.card, writer.made_with, repairs_made(), plan.ahead.readers.count)

    try:
        _run_pipeline(plan, tuned, standing, _in_turn(unfinished, run), books, meter, settled, token, on_progress)
    except Exception:
        # Whatever stopped the job: what is scored stays, if there is room for it.
        with contextlib.suppress(RequestFailed):
            books.close_part()
        raise
    books.close_part()
    return books.tally


def _in_turn(unfinished: Sequence[Path], run: Run) -> Sequence[Sequence[Path]]:
    """What is read ahead together: all but the suspects, then each of these by itself."""
    innocent = [path for path in unfinished if path not in run.suspects and path not in run.guilty]
    alone = [[path] for path in unfinished if path in run.suspects]
    return [innocent, *alone] if innocent else alone


def _run_pipeline(
    plan: RunPlan,
    tuned: Tuned,
    standing: Standing,
    turns: Sequence[Sequence[Path]],
    books: Books,
    meter: Meter,
    settled: Callable[[Choice], None],
    token: CancelToken,
    on_progress: OnProgress,
) -> None:
    inference = plan.config.inference
    scorer = Scorer(Thrifty(tuned), lambda: tuned.batch_size, inference.activation, plan.columns, token)
    message, told = "scoring", False
    on_progress(meter.progress(books.tally, message))
    reported = time.monotonic()
    overlap = inference.clip_overlap_seconds
    for turn in turns:
        with read_ahead(plan.model, turn, overlap, standing.held_of, books.announce, plan.ahead, token) as events:
            for event in scorer.score(events):
                if isinstance(event, Opened):
                    meter.opened(event)
                    message = f"scoring {path_to_wire(event.path.name)}"
                elif isinstance(event, Unreadable):
                    meter.passed_over(event.path)
                    _LOG.warning("%s", event.error.message)
                if not told and tuned.choice is not None:
                    settled(tuned.choice)
                    told = True
                books.enter(event)
                if time.monotonic() - reported >= _REPORT_SECONDS:
                    on_progress(meter.progress(books.tally, message))
                    reported = time.monotonic()
    on_progress(meter.progress(books.tally, "scored"))


def _enter_what_parts_know(ledger: Ledger, standing: Standing) -> None:
    """Bring the ledger up to the parts, where a crash came between closing a part and entering it."""
    last = last_events(ledger.read())
    missing = []
    for path in standing.recordings:
        if path not in standing.complete:
            continue
        held = standing.held_of(path)
        event = last.get(held[0].recording.file)
        if not isinstance(event, Done) or event.recording != held[0].recording:
            missing.append(
                Done(
                    recording=held[0].recording,
                    clips=held[0].total,
                    audio_seconds=sum(scored.audio_seconds for scored in held),
                    unreadable=sum(len(scored.unreadable) for scored in held),
                )
            )
    ledger.append(*missing)


def _finish(
    folder: JobFolder, plan: RunPlan, tuned: Tuned, standing: Standing, tally: Tally, extent: _Extent
) -> JobOutcome:
    parts = read_parts(folder.scores_path)
    order = [standing.stamps[path].file for path in standing.recordings if path in standing.stamps]
    outputs = results.write_tables(folder, plan.config, parts, plan.basis, order)
    failures = _in_order_of_input(tally.failures, standing.recordings)
    results.write_failures(folder, failures)
    skipped = extent.files_skipped
    results.write_summary(folder, _summary(plan, tuned.choice, standing, parts, tally, extent))
    total = len(standing.recordings)
    _LOG.info("%d recordings: %d done, %d failed, %d before", total, tally.files_done, tally.files_failed, skipped)
    return JobOutcome(
        # A share of few recordings may be none.
        state="completed" if tally.files_done + skipped or not total else "failed",
        files_total=total,
        files_done=tally.files_done,
        files_failed=tally.files_failed,
        files_skipped=skipped,
        files_added=extent.files_added,
        clips=tally.clips,
        audio_seconds=tally.audio_seconds,
        elapsed_seconds=extent.elapsed_seconds,
        outputs=outputs,
        failures=tuple(failures[:_REPORTED_FAILURES]),
    )


def _in_order_of_input(failures: Sequence[Failure], recordings: Sequence[Path]) -> Sequence[Failure]:
    """Suspects are scored last; nobody looks for them there."""
    place = {path_to_wire(path): index for index, path in enumerate(recordings)} if failures else {}
    return sorted(failures, key=lambda failure: place[failure.path])


def _summary(
    plan: RunPlan, choice: Choice | None, standing: Standing, parts: Sequence[Part], tally: Tally, extent: _Extent
) -> results.Summary:
    held = [scored for part in parts for scored in part.header.ranges]
    threshold, top_k = results.kept_by(plan.keep, plan.basis.layout)
    return results.Summary(
        name=plan.config.name,
        model=plan.model.card.name,
        classes=len(plan.basis.classes),
        layout=plan.basis.layout,
        threshold=threshold,
        top_k=top_k,
        clip_seconds=plan.model.card.clip_seconds,
        clip_overlap_seconds=plan.config.inference.clip_overlap_seconds,
        activation=plan.config.inference.activation,
        precision=plan.config.inference.precision,
        plan=None if choice is None else choice.plan,
        batch_size=None if choice is None else choice.batch_size,
        deviation=None if choice is None else choice.deviation,
        files_total=len(standing.recordings),
        files_done=tally.files_done,
        files_failed=tally.files_failed,
        files_skipped=extent.files_skipped,
        clips=sum(scored.count for scored in held),
        unreadable_clips=sum(len(scored.unreadable) for scored in held),
        audio_seconds=sum(scored.audio_seconds for scored in held),
        elapsed_seconds=extent.elapsed_seconds,
        notes=(*plan.model.card.notes, *_of_precision(plan.config.inference, choice)),
    )


def _of_precision(inference: InferenceConfig, choice: Choice | None) -> tuple[str, ...]:
    """What to tell somebody who allowed half a precision and did not get it."""
    if choice is None or inference.precision in ("float32", choice.plan):
        return ()
    return (f"{inference.precision} is not quicker here, so the scores are float32 (plan {choice.plan}).",)


def _teller(on_progress: OnProgress) -> Callable[[str], None]:
    return lambda message: on_progress(Progress(message=message))


def _log_start(folder: JobFolder, plan: RunPlan, standing: Standing) -> None:
    card = plan.model.card
    _LOG.info("%s: %s, %d classes, on %s", folder.path, card.name, len(plan.basis.classes), card.device)
    _LOG.info("%d recordings, %d of them complete", len(standing.recordings), len(standing.complete))
    for note in card.notes:
        _LOG.warning("%s", note)
