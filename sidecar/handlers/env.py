"""env/*: the ML environment, checked and set up."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rpc.call import Progress
from rpc.errors import InvalidParams
from schemas.env import CheckParams, Environment, RemovedEnvironment, RemoveParams, SetupParams
from sidecar.environment.locate import chosen_folder, shipped_archives
from sidecar.environment.platforms import archive_at, archive_in
from sidecar.environment.verify import check_folder, check_interpreter

if TYPE_CHECKING:
    from rpc.call import Call
    from sidecar.app import Services
    from sidecar.environment.progress import OnProgress


def check(params: CheckParams, call: Call, services: Services) -> Environment:
    """env/check. Needs `services.settings.cache_folder`."""
    if params.python is not None:
        if params.folder is not None:
            raise InvalidParams("$.python: give either a folder or an interpreter, not both")
        return check_interpreter(Path(params.python).absolute(), deep=params.deep, token=call.token)
    folder = chosen_folder(params.folder, services.settings.cache_folder)
    return check_folder(folder, deep=params.deep, token=call.token, on_progress=_progress_of(call))


def setup(params: SetupParams, call: Call, services: Services) -> Environment:
    """env/setup. Needs `services.settings.cache_folder`."""
    from sidecar.environment.order import How
    from sidecar.environment.setup import set_up, set_up_from_url

    if params.archive is not None and params.url is not None:
        raise InvalidParams("$.url: give either an archive or an address, not both")
    folder = chosen_folder(params.folder, services.settings.cache_folder)
    call.begin(Progress(title="Setting up the ML environment", unit="bytes"))
    how = How(
        token=call.token,
        on_progress=_progress_of(call),
        sha256=params.sha256,
        force=params.force,
        before_replacing=partial(_release, services),
    )
    if params.url is not None:
        url = archive_at(params.url, call.token) if params.url.endswith("/") else params.url
        return set_up_from_url(folder, url, how)
    return set_up(folder, _archive(params.archive), how)


def _archive(named: str | None) -> Path:
    """The file to extract: named, this computer's in the folder that is named, or what came with the application."""
    path = Path(named) if named is not None else shipped_archives()
    if named is None and not path.is_dir():
        raise InvalidParams("$.archive: no environment archive came with this application; name one")
    return archive_in(path) if path.is_dir() else path


def remove(params: RemoveParams, call: Call, services: Services) -> RemovedEnvironment:
    """env/remove. Needs `services.settings.cache_folder`."""
    from sidecar.environment.remove import remove_environment

    folder = chosen_folder(params.folder, services.settings.cache_folder)
    return remove_environment(
        folder, token=call.token, on_progress=_progress_of(call), before_removing=partial(_release, services)
    )


def _release(services: Services, folder: Path) -> None:
    """End the warm worker that runs on the environment in `folder`; Busy where a job does."""
    jobs = services.made("jobs")
    if jobs is not None:
        jobs.release(folder)


def _progress_of(call: Call) -> OnProgress:
    """Pass on what a room tells, in the wire's form."""

    def report(doing: str, done: int, total: int) -> None:
        if total > 0:
            call.report(
                Progress(message=doing, done=done, total=total, unit="bytes", percentage=round(100 * done / total, 1))
            )
        else:
            call.report(Progress(message=doing))

    return report
