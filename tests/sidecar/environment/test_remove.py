"""env/remove: the environment goes, what is the user's stays."""

from __future__ import annotations

import shutil
import threading

import pytest

from rpc.cancel import CancelToken
from rpc.errors import RequestFailed
from sidecar.environment.files import FILES_NAME
from sidecar.environment.marker import Marker, write_marker
from sidecar.environment.places import Places
from sidecar.environment.remove import remove_environment
from sidecar.environment.verify import check_folder
from tests.sidecar.environment.test_interrupted import wait_until


def remove(folder, token=None):
    return remove_environment(
        folder, token=token or CancelToken(), on_progress=lambda *_: None, before_removing=lambda _: None
    )


def test_an_environment_is_removed_with_what_python_compiled(machine):
    # Arrange
    made = machine.set_up(machine.archive())
    cache = machine.folder / "lib/python3.11/site-packages/torch/__pycache__"
    cache.mkdir()
    (cache / "version.cpython-311.pyc").write_bytes(bytes(1000))

    # Act
    removed = remove(machine.folder)

    # Assert
    assert removed.kept == ()
    assert removed.freed_bytes > (made.size_bytes or 0) + 1000
    assert list(machine.folder.parent.iterdir()) == [], "what is answered is done: nothing is left to be deleted"
    assert check_folder(machine.folder).status == "missing"


def test_the_users_own_files_stay_where_they_are(machine):
    # Arrange
    machine.set_up(machine.archive())
    mine = machine.folder / "lib" / "mine" / "weights.pt"
    mine.parent.mkdir()
    mine.write_bytes(b"months of work")

    # Act
    removed = remove(machine.folder)

    # Assert
    assert removed.kept == (str(mine),)
    assert mine.read_bytes() == b"months of work"
    assert [path.name for path in machine.folder.parent.iterdir()] == ["environment"]
    assert [path for path in machine.folder.rglob("*") if path.is_file()] == [mine]


def test_a_kill_between_the_steps_loses_nothing_of_the_users(machine):
    # Arrange: the environment is gone, the user's files still wait aside.
    places = Places(machine.folder)
    (places.kept / "lib").mkdir(parents=True)
    (places.kept / "lib" / "weights.pt").write_bytes(b"months of work")

    # Act: the next call finds a folder that is not its own.
    with pytest.raises(RequestFailed, match="was not made by env/setup"):
        remove(machine.folder)

    # Assert
    assert (machine.folder / "lib" / "weights.pt").read_bytes() == b"months of work"


def test_a_cancel_while_a_slow_disk_deletes_is_answered_at_once(machine, monkeypatch):
    # Arrange
    machine.set_up(machine.archive())
    delete, may_delete, token = shutil.rmtree, threading.Event(), CancelToken()

    def delete_slowly(folder, ignore_errors):
        token.cancel()
        may_delete.wait(60)
        delete(folder, ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", delete_slowly)

    # Act
    removed = remove(machine.folder, token)

    # Assert
    assert removed.freed_bytes > 0
    assert not machine.folder.exists()
    may_delete.set()
    wait_until(lambda: list(machine.folder.parent.iterdir()) == [])


def test_a_folder_of_the_users_is_not_touched(machine):
    machine.folder.mkdir()
    (machine.folder / "thesis.tex").write_text("mine")

    with pytest.raises(RequestFailed, match="was not made by env/setup"):
        remove(machine.folder)

    assert (machine.folder / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize("where", ["environment", "no/such/place"])
def test_nothing_there_is_nothing_to_free(machine, where):
    removed = remove(machine.folder.parent / where)

    assert removed.freed_bytes == 0
    assert machine.left_behind() == []


def test_an_interrupted_set_up_is_removed(machine):
    machine.set_up(machine.archive())
    write_marker(machine.folder, Marker(state="pending"))

    remove(machine.folder)

    wait_until(lambda: list(machine.folder.parent.iterdir()) == [])


def test_one_whose_list_is_lost_is_removed_whole(machine):
    machine.set_up(machine.archive())
    (machine.folder / FILES_NAME).unlink()

    assert remove(machine.folder).kept == ()

    wait_until(lambda: list(machine.folder.parent.iterdir()) == [])


def test_removed_and_set_up_again(machine):
    archive = machine.archive()
    machine.set_up(archive)
    remove(machine.folder)

    assert machine.set_up(archive).status == "ready"
