"""From what a request says about the environment to the interpreter that runs the models.

What lives here: that one decision. What must not: importing anything to find out; a run tells soon enough.
"""

from __future__ import annotations

from pathlib import Path

from rpc.errors import EnvironmentNotReady, InvalidParams
from schemas.env import Environment, EnvironmentChoice
from sidecar.environment.locate import chosen_folder, interpreter_in
from sidecar.environment.marker import has_marker
from sidecar.environment.verify import check_folder

_SET_UP = "Set up the ML environment first (env/setup)."


def interpreter_for(choice: EnvironmentChoice, cache_folder: Path) -> Path:
    """The interpreter that is to run the models; takes a few milliseconds.

    Parameters
    ----------
    choice
        The environment's folder, or an interpreter of the user's own; neither: the default folder.
    cache_folder
        What the default folder is below.

    Raises
    ------
    InvalidParams
        Both are given.
    EnvironmentNotReady
        There is no such interpreter, or the environment was not finished or was damaged; the hint says what to do.
    """
    if choice.python is not None and choice.folder is not None:
        raise InvalidParams("$.environment: give either `folder` or `python`, not both.")
    if choice.python is not None:
        python = Path(choice.python).absolute()
        if not python.is_file():
            raise EnvironmentNotReady(
                f"There is no Python interpreter {python}.",
                path=python,
                hint="Correct the setting for the ML environment, or set one up (env/setup).",
            )
        return python
    folder = chosen_folder(choice.folder, cache_folder)
    python = interpreter_in(folder)
    if has_marker(folder) or not python.is_file():
        _refuse_unready(check_folder(folder))
    return python


def _refuse_unready(found: Environment) -> None:
    if found.status != "ready":
        raise EnvironmentNotReady(
            f"The ML environment in {found.folder} is {found.status}: {found.problem}", path=found.folder, hint=_SET_UP
        )
