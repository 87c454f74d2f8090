"""A job folder: made once, opened again, written atomically, held by one."""

from __future__ import annotations

import errno
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from rpc.errors import Busy, ConfigInvalid, JobNotFound, PermissionRefused, RequestFailed
from schemas.config import CheckpointModel, Config, InputConfig, OutputConfig
from survey.job_folder import JobFolder
from survey.shards import Shard
from tests.hostile import refusing

NOW = datetime(2024, 5, 12, 5, 30, 0, tzinfo=UTC)


def config(folder, name="spring survey", **fields) -> Config:
    model = CheckpointModel(path="model.pt")
    return Config(name=name, model=model, input=InputConfig(), output=OutputConfig(folder=str(folder)), **fields)


def test_a_new_job_folder_holds_config_and_state(tmp_path):
    # Act
    folder = JobFolder.create(config(tmp_path / "new" / "output"), NOW, job_id="abc")

    # Assert
    assert folder.path == tmp_path / "new" / "output" / "spring survey_20240512T053000Z"
    assert folder.scores_path.is_dir()
    assert JobFolder.open(folder.path) == folder
    record = folder.read_record()
    assert (record.job_id, record.name, record.state) == ("abc", "spring survey", "queued")
    assert record.created_at == "2024-05-12T05:30:00+00:00"


def test_its_config_can_be_used_from_anywhere(tmp_path, monkeypatch):
    # Arrange
    monkeypatch.chdir(tmp_path)
    inputs = InputConfig(files=("a.wav",), folders=("sound",), patterns=("sound/*.flac",))
    relative = msgspec.structs.replace(config("output"), input=inputs)

    # Act
    written = JobFolder.create(relative, NOW).read_config()

    # Assert
    assert written.model == CheckpointModel(path=str(tmp_path / "model.pt"))
    assert written.input.files == (str(tmp_path / "a.wav"),)
    assert written.input.folders == (str(tmp_path / "sound"),)
    assert written.input.patterns == (str(tmp_path / "sound" / "*.flac"),)
    assert written.output.folder == str(tmp_path / "output")


def test_two_jobs_of_one_name_and_second_get_two_folders(tmp_path):
    first, second = (JobFolder.create(config(tmp_path), NOW) for _ in range(2))

    assert first.path != second.path
    assert first.read_record().job_id != second.read_record().job_id


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a/b\\c:d", "a_b_c_d"), ("..", "job"), (" dots. ", "dots"), ("x" * 200, "x" * 80), ("frösche 🐸", "frösche 🐸")],
)
def test_any_name_makes_a_folder_of_its_own(tmp_path, name, expected):
    folder = JobFolder.create(config(tmp_path, name=name), NOW)

    assert folder.path.parent == tmp_path
    assert folder.path.name == f"{expected}_20240512T053000Z"
    assert folder.read_record().name == name


def test_an_output_folder_that_is_a_file_is_refused_with_its_name(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(RequestFailed, match="file"):
        JobFolder.create(config(tmp_path / "file"), NOW)


def test_an_output_folder_that_cannot_be_written_is_refused(tmp_path):
    with refusing(tmp_path), pytest.raises(PermissionRefused):
        JobFolder.create(config(tmp_path), NOW)


def test_a_folder_without_a_config_is_no_job(tmp_path):
    with pytest.raises(JobNotFound):
        JobFolder.open(tmp_path)


def test_damaged_files_are_told_apart_by_name(tmp_path):
    folder = JobFolder.create(config(tmp_path), NOW)
    folder.config_path.write_text('{"model": {}}')
    folder.record_path.write_text('{"jobId": ')

    with pytest.raises(ConfigInvalid, match=r"config\.json"):
        folder.read_config()
    with pytest.raises(JobNotFound, match=r"job\.json"):
        folder.read_record()


def test_writing_the_state_leaves_the_old_one_or_the_new_one(tmp_path):
    # Arrange
    folder = JobFolder.create(config(tmp_path), NOW)
    record = folder.read_record()

    # Act
    with refusing(folder.path), pytest.raises(PermissionRefused):
        folder.write_record(msgspec.structs.replace(record, state="running"))

    # Assert
    assert folder.read_record() == record
    assert not list(folder.path.glob("*.partial"))


def test_only_one_holds_a_folder(tmp_path):
    folder = JobFolder.create(config(tmp_path), NOW)

    with folder.lock():
        assert folder.is_locked()
        with pytest.raises(Busy), folder.lock():
            pass
    assert not folder.is_locked()


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    # Arrange
    folder = JobFolder.create(config(tmp_path), NOW)
    program = (
        "import sys; from pathlib import Path; from survey.job_folder import JobFolder\n"
        "lock = JobFolder.open(sys.argv[1]).lock(); print('held', flush=True); sys.stdin.read()"
    )
    root = Path(__file__).resolve().parents[2]
    holder = subprocess.Popen(
        [sys.executable, "-c", program, folder.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"

    # Act
    held = folder.is_locked()
    holder.kill()
    holder.wait()

    # Assert
    assert held
    with folder.lock():
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="another lock there")
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_network_mount_without_locks_does_not_stop_a_job(tmp_path, monkeypatch, number):
    folder = JobFolder.create(config(tmp_path), NOW)

    def refuse(*arguments):
        raise OSError(number, "no locks here")

    monkeypatch.setattr("fcntl.flock", refuse)

    with folder.lock():
        assert not folder.is_locked()


def test_a_shard_that_begins_twice_is_begun_once(tmp_path):
    folder, ids = JobFolder.shared(config(tmp_path)).shard(Shard(3, 20)), set()

    for _ in range(2):
        folder.make()
        folder.begin(config(tmp_path), NOW, shard=Shard(3, 20))
        ids.add(folder.read_record().job_id)

    assert folder.path.name == "03-of-20"
    assert (len(ids), folder.read_record().shard) == (1, Shard(3, 20))
