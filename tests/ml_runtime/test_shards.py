"""Shards of a survey and their merge: together they are what one run would have been."""

from __future__ import annotations

import csv
import dataclasses
import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from ml_runtime import merge as merging
from ml_runtime.merge import merge
from ml_runtime.merge_report import MergeReport
from ml_runtime.shard_folders import find_shards, refuse_different
from rpc.cancel import CancelToken
from rpc.errors import ConfigInvalid, DiskFull, JobNotFound
from schemas.config import Config
from survey.job_folder import JobFolder
from survey.job_report import with_outcome
from survey.parts import peek_parts, scored_ranges
from survey.shards import Shard, shard_of
from tests.ml_runtime.jobs import failures, make_job, predictions, run
from tests.ml_runtime.loudness import CARD, Loudness, OneModel
from tests.sounds import noise, write_sound

NOW = datetime(2024, 5, 12, tzinfo=UTC)


@pytest.fixture
def whole(tmp_path) -> JobFolder:
    """A job over a dozen recordings and a broken file that was run without shards; it is not looked at by the merge."""
    for index in range(12):
        folder = tmp_path / "recordings" / f"site{index % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        write_sound(folder / f"r{index}.wav", noise(8000 * (6 + index), seed=index), 8000)
    (tmp_path / "recordings" / "site0" / "broken.wav").write_bytes(b"no sound")
    job = make_job(tmp_path / "whole", tmp_path / "recordings", formats=("csv", "parquet"))
    run(job, OneModel(Loudness()))
    return job


@pytest.fixture
def config(whole, tmp_path) -> Config:
    config = whole.read_config()
    return msgspec.structs.replace(
        config, name="spring", output=msgspec.structs.replace(config.output, folder=str(tmp_path / "shared"))
    )


def run_shard(
    config: Config, index: int, count: int, base: JobFolder | None = None, model: Loudness | None = None
) -> JobFolder:
    folder = (base or JobFolder.shared(config)).shard(Shard(index, count))
    folder.make()
    folder.begin(config, NOW, shard=Shard(index, count))
    outcome = run(folder, OneModel(model or Loudness()))
    record = with_outcome(folder.read_record(), outcome)
    folder.write_record(msgspec.structs.replace(record, state=outcome.state, started_at="2024-05-12T00:00:00Z"))
    return folder


def merged(config: Config, *elsewhere: Path) -> tuple[JobFolder, MergeReport]:
    folder = JobFolder.shared(config)
    shards = find_shards(folder, elsewhere)
    refuse_different(shards, config, "the config given")
    folder.make()
    folder.begin(config, NOW)
    return folder, merge(folder, shards, config, CancelToken(), lambda message: None)


def shard_with(path: Path, count: int) -> int:
    return shard_of(str(path), count).index


def assert_scored_once(folder: JobFolder) -> None:
    held = [scored for ranges in scored_ranges(peek_parts(folder.scores_path)).values() for scored in ranges]
    assert all(len(ranges) == 1 for ranges in scored_ranges(peek_parts(folder.scores_path)).values())
    assert all((scored.first, scored.count) == (0, scored.total) for scored in held)


def test_shards_joined_are_what_one_run_is(whole, config):
    for index in (3, 1, 2):
        run_shard(config, index, 3)

    folder, report = merged(config)

    for path in ("predictions_path", "failures_path"):
        assert getattr(folder, path).read_bytes() == getattr(whole, path).read_bytes()
    assert len(predictions(folder)) == 138
    assert (report.state, report.files_done, report.files_failed, report.files_missing) == ("completed", 12, 1, 0)
    assert (report.absent, report.missing, report.warnings) == ((), (), ())
    assert [shard.shard for shard in report.shards] == ["1/3", "2/3", "3/3"]
    assert folder.predictions_parquet_path.exists()
    parts = list(folder.scores_path.iterdir())
    assert all(part.stat().st_nlink == 2 for part in parts), "parts that are taken whole take no room"
    assert folder.read_record().shard is None


def test_what_no_shard_scored_is_said_and_can_be_scored_by_a_shard_or_by_resuming(whole, config, tmp_path):
    # Arrange
    recordings = tmp_path / "recordings"
    wanted = {str(path) for path in sorted(recordings.rglob("*.wav")) if shard_with(path, 4) in (2, 3)}
    run_shard(config, 1, 4)
    run_shard(config, 4, 4)

    # Act
    folder, gap = merged(config)
    run_shard(config, 2, 4)
    _, smaller = merged(config)
    resumed = run(folder, OneModel(Loudness()))
    _, nothing = merged(config)

    # Assert
    with whole.failures_path.open() as stream:
        broken = {row["file"] for row in csv.DictReader(stream)}
    assert {missing.path for missing in gap.missing} == wanted
    assert {missing.reason for missing in gap.missing} == {"its shard has no folder"}
    assert gap.absent == ("2/4", "3/4")
    assert gap.state == "interrupted"
    assert {missing.shard for missing in smaller.missing} == {"3/4"}
    assert resumed.files_done == len({missing.path for missing in smaller.missing} - broken)
    assert (nothing.files_missing, nothing.state) == (0, "completed")
    assert_scored_once(folder)
    assert folder.predictions_path.read_bytes() == whole.predictions_path.read_bytes()


def test_missing_csv_says_whose_and_why(whole, config, tmp_path):
    # Arrange: one recording added, one changed, one shard stopped
    recordings = tmp_path / "recordings"
    folders = {index: run_shard(config, index, 2) for index in (1, 2)}
    changed = next(path for path in recordings.rglob("r*.wav") if shard_with(path, 2) == 1)
    os.utime(changed, (1, 1))
    added, unscored = (
        next(path for number in range(99) if shard_with(path := recordings / f"new{number}.wav", 2) == index)
        for index in (1, 2)
    )
    write_sound(added, noise(8000 * 6), 8000)
    stopped = folders[2].read_record()
    write_sound(unscored, noise(8000 * 6), 8000)
    folders[2].write_record(msgspec.structs.replace(stopped, state="running"))

    # Act
    folder, report = merged(config)

    # Assert
    with folder.missing_path.open() as stream:
        rows = {row["file"]: (row["shard"], row["reason"]) for row in csv.DictReader(stream)}
    assert rows == {
        str(changed): ("1/2", "it has changed since its shard scored it; run it again"),
        str(added): ("1/2", "it is new since its shard looked for recordings; run it again"),
        str(unscored): ("2/2", "its shard stopped before the end (interrupted); run it again"),
    }
    assert str(changed) not in folder.predictions_path.read_text()
    assert [shard.state for shard in report.shards] == ["completed", "interrupted"]


def test_a_shard_that_is_still_running_is_joined_as_far_as_it_is(whole, config):
    run_shard(config, 1, 2)
    other = JobFolder.shared(config).shard(Shard(2, 2))
    other.make()
    other.begin(config, NOW, shard=Shard(2, 2))
    with other.lock():
        _, report = merged(config)

    assert [shard.running for shard in report.shards] == [False, True]
    assert {missing.reason for missing in report.missing} == {"its shard is still running"}
    assert report.absent == ()


def test_shards_of_another_config_or_model_are_refused_with_the_difference(whole, config, tmp_path):
    # Arrange
    run_shard(config, 1, 2)
    overlapping = msgspec.structs.replace(
        config, inference=msgspec.structs.replace(config.inference, clip_overlap_seconds=0.5)
    )
    run_shard(overlapping, 2, 2)
    elsewhere = msgspec.structs.replace(config, input=msgspec.structs.replace(config.input, folders=(str(tmp_path),)))

    # Act
    with pytest.raises(ConfigInvalid) as refused:
        merged(config)
    with pytest.raises(ConfigInvalid) as other_input:
        merged(elsewhere)

    # Assert
    assert refused.value.message == (
        "Shard 2/2 was run with another config than the config given: $.inference.clipOverlapSeconds: 0.0 became 0.5."
    )
    assert "$.input.folders" in other_input.value.message
    assert not JobFolder.shared(config).config_path.exists(), "nothing was begun"


def test_shards_of_other_weights_are_refused(whole, config):
    run_shard(config, 1, 2)
    run_shard(config, 2, 2, model=Loudness(card=dataclasses.replace(CARD, weights="loudness 2")))

    with pytest.raises(ConfigInvalid, match=r"shard 2/2 .* shard 1/2: the model's weights differ"):
        merged(config)


def test_shards_of_several_numbers_and_folders_double_nothing(whole, config, tmp_path):
    other = JobFolder(tmp_path / "scratch")
    for index in (1, 2):
        run_shard(config, index, 2, other)
    run_shard(config, 1, 3)

    folder, report = merged(config, other.path)

    assert report.files_missing == 0
    assert_scored_once(folder)
    assert folder.predictions_path.read_bytes() == whole.predictions_path.read_bytes()
    assert failures(folder) == failures(whole)


def test_a_merge_that_stopped_half_way_is_done_again(whole, config, monkeypatch):
    # Arrange
    for index in (1, 2, 3):
        run_shard(config, index, 3)
    real, calls = merging.adopt_part, []

    def full(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise DiskFull("The disk is full.")
        return real(*arguments)

    # Act
    monkeypatch.setattr(merging, "adopt_part", full)
    with pytest.raises(DiskFull):
        merged(config)
    monkeypatch.setattr(merging, "adopt_part", real)
    folder, report = merged(config)

    # Assert
    assert report.state == "completed"
    assert_scored_once(folder)
    assert folder.predictions_path.read_bytes() == whole.predictions_path.read_bytes()


def test_recordings_out_of_reach_can_be_joined_all_the_same(whole, config, tmp_path):
    for index in (1, 2):
        run_shard(config, index, 2)
    (tmp_path / "recordings").rename(tmp_path / "unplugged")

    folder, report = merged(config)

    assert (report.files_done, report.files_failed, report.files_missing) == (12, 1, 0)
    assert "is taken for all" in report.warnings[0]
    assert len(predictions(folder)) == 138


def test_a_share_of_no_recordings_is_complete(whole, config):
    empty = next(index for index in range(1, 101) if not any(shard_with(path, 100) == index for path in paths(config)))

    folder = run_shard(config, empty, 100)

    assert (folder.read_record().state, folder.read_record().files_total) == ("completed", 0)


def paths(config: Config) -> list[Path]:
    return list(Path(config.input.folders[0]).rglob("*.wav"))


def test_without_shards_there_is_nothing_to_join(config, tmp_path):
    with pytest.raises(JobNotFound, match="There are no shards"):
        merged(config)
    with pytest.raises(JobNotFound, match="nowhere"):
        find_shards(JobFolder.shared(config), [tmp_path / "nowhere"])
