"""The error tree: every failure that may cross the wire, with its code and a sentence for the user.

What lives here: exception classes and the conversion of one into its wire form. What must not: any
decision about when to raise them.

    RpcError
    ├── ProtocolError                 the peer broke JSON-RPC
    │   ├── ParseError                -32700
    │   ├── InvalidRequest            -32600
    │   ├── MethodNotFound            -32601
    │   └── InvalidParams             -32602  (message starts with the path, `$.clips[3].endSeconds`)
    ├── InternalError                 -32603  our bug
    ├── RequestCancelled              -32800
    └── RequestFailed                 -32803  the request was fine, the world was not
        ├── FileMissing                 1001  fileNotFound
        ├── DecodeFailed                1002  decodeFailed
        ├── ModelNotFound               1003  modelNotFound
        ├── ModelLoadFailed             1004  modelLoadFailed
        ├── EnvironmentNotReady         1005  environmentNotReady
        ├── ArchiveInvalid              1006  archiveInvalid
        ├── Busy                        1007  busy                (retryable)
        ├── WorkerCrashed               1008  workerCrashed       (retryable)
        ├── OutOfMemory                 1009  outOfMemory
        ├── PermissionRefused           1010  permissionDenied
        ├── DiskFull                    1011  diskFull            (retryable)
        ├── TimedOut                    1012  timeout             (retryable)
        ├── FormatUnknown               1013  formatUnknown
        ├── ConfigInvalid               1014  configInvalid
        ├── DownloadFailed              1015  downloadFailed      (retryable)
        ├── JobNotFound                 1016  jobNotFound
        ├── ScoresNotFound              1017  scoresNotFound
        └── InputGone                   1018  inputGone           (retryable)

Messages are sentences that a field biologist can act on. Keep the cause (`raise ... from error`): it goes
to the log, never onto the wire.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

if TYPE_CHECKING:
    from pathlib import Path


class ErrorData(msgspec.Struct, kw_only=True, frozen=True, rename="camel", omit_defaults=True):
    """The `data` of an error reply.

    `kind` is the error's stable name, `retryable` tells whether the same request may succeed later,
    `path` is the file concerned, `hint` what to try next. `job_id`, `job_folder` and `state` say where a
    job stood when the request that waited for it was cancelled or failed.
    """

    kind: str
    retryable: bool
    path: str | None = None
    hint: str | None = None
    job_id: str | None = None
    job_folder: str | None = None
    state: str | None = None
    detail: str | None = None


class ErrorObject(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The `error` member of a reply."""

    code: int
    message: str
    data: ErrorData | None = None


class RpcError(Exception):
    """The root of the tree. `code` and `kind` belong to the class, the sentence to the instance."""

    code: ClassVar[int] = -32603
    kind: ClassVar[str] = "internalError"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        path: str | Path | None = None,
        hint: str | None = None,
        job_id: str | None = None,
        job_folder: str | None = None,
        state: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = None if path is None else str(path)
        self.hint = hint
        self.job_id = job_id
        self.job_folder = job_folder
        self.state = state

    def data(self) -> ErrorData | None:
        """Everything a program needs to react to this error."""
        return ErrorData(
            kind=self.kind,
            retryable=self.retryable,
            path=self.path,
            hint=self.hint,
            job_id=self.job_id,
            job_folder=self.job_folder,
            state=self.state,
        )

    def to_wire(self) -> ErrorObject:
        """This error as the `error` member of a reply."""
        return ErrorObject(code=self.code, message=self.message, data=self.data())


class ProtocolError(RpcError):
    """The peer broke JSON-RPC 2.0."""

    code = -32600
    kind = "protocolError"

    def data(self) -> ErrorData | None:
        return None


class ParseError(ProtocolError):
    """What arrived is not JSON."""

    code = -32700


class InvalidRequest(ProtocolError):
    """What arrived is JSON, but no request."""

    code = -32600


class MethodNotFound(ProtocolError):
    """There is no such method."""

    code = -32601


class InvalidParams(ProtocolError):
    """The params do not fit the method; the message carries the path of the offending field."""

    code = -32602


class InternalError(RpcError):
    """Our bug. The traceback is in the log, and in `detail` for a client that traces."""

    code = -32603

    def __init__(self, message: str, *, detail: str | None = None, **where: Any) -> None:
        super().__init__(message, **where)
        self.detail = detail

    def data(self) -> ErrorData | None:
        data = super().data()
        return data if data is None or self.detail is None else msgspec.structs.replace(data, detail=self.detail)


class RequestCancelled(RpcError):
    """The client cancelled the request."""

    code = -32800
    kind = "cancelled"

    def __init__(self, message: str = "The request was cancelled.", **where: Any) -> None:
        super().__init__(message, **where)


class RequestFailed(RpcError):
    """The request was understood, but could not be carried out."""

    code = -32803
    kind = "failed"


class FileMissing(RequestFailed):
    """A file or folder that was named does not exist."""

    code = 1001
    kind = "fileNotFound"


class DecodeFailed(RequestFailed):
    """A recording exists, but holds no sound that can be read."""

    code = 1002
    kind = "decodeFailed"


class ModelNotFound(RequestFailed):
    """No model of this name."""

    code = 1003
    kind = "modelNotFound"


class ModelLoadFailed(RequestFailed):
    """The model is known, but cannot be loaded: weights, packages or trust are missing."""

    code = 1004
    kind = "modelLoadFailed"


class EnvironmentNotReady(RequestFailed):
    """The ML environment is missing, incomplete or broken."""

    code = 1005
    kind = "environmentNotReady"


class ArchiveInvalid(RequestFailed):
    """An environment archive is damaged, unsafe, or no archive at all."""

    code = 1006
    kind = "archiveInvalid"


class Busy(RequestFailed):
    """Too much is under way; try again."""

    code = 1007
    kind = "busy"
    retryable = True


class WorkerCrashed(RequestFailed):
    """The process that ran the model ended unexpectedly."""

    code = 1008
    kind = "workerCrashed"
    retryable = True


class OutOfMemory(RequestFailed):
    """There was not enough memory."""

    code = 1009
    kind = "outOfMemory"


class PermissionRefused(RequestFailed):
    """The operating system refused access."""

    code = 1010
    kind = "permissionDenied"


class DiskFull(RequestFailed):
    """The disk has no room left."""

    code = 1011
    kind = "diskFull"
    retryable = True


class TimedOut(RequestFailed):
    """Something took longer than it may."""

    code = 1012
    kind = "timeout"
    retryable = True


class FormatUnknown(RequestFailed):
    """A file is of no format that we know."""

    code = 1013
    kind = "formatUnknown"


class ConfigInvalid(RequestFailed):
    """A config cannot be used; the message names the field."""

    code = 1014
    kind = "configInvalid"


class DownloadFailed(RequestFailed):
    """Something could not be fetched."""

    code = 1015
    kind = "downloadFailed"
    retryable = True


class JobNotFound(RequestFailed):
    """No job of this id or in this folder."""

    code = 1016
    kind = "jobNotFound"


class ScoresNotFound(RequestFailed):
    """No score table is open under this id, or it lacks the class asked for."""

    code = 1017
    kind = "scoresNotFound"


class InputGone(RequestFailed):
    """The folder of the recordings vanished while they were scored: a drive was unplugged, say."""

    code = 1018
    kind = "inputGone"
    retryable = True


def from_os_error(error: OSError, path: str | Path, doing: str) -> RequestFailed:
    """The leaf that fits an OSError met while `doing` ("read", "write", ...) `path`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"The disk is full: cannot {doing} {path}.", path=path, hint="Free some space and try again.")
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return PermissionRefused(f"No permission to {doing} {path}.", path=path)
    if isinstance(error, FileNotFoundError):
        return FileMissing(f"There is no file or folder {path}.", path=path)
    return RequestFailed(f"Cannot {doing} {path}: {error.strerror or error}.", path=path)


def from_wire(error: ErrorObject) -> RpcError:
    """The leaf that another process raised, from the `error` member of its reply. Its data survives."""
    leaf = _LEAVES.get(error.code, RequestFailed)
    data = error.data or ErrorData(kind="", retryable=False)
    return leaf(
        error.message,
        path=data.path,
        hint=data.hint,
        job_id=data.job_id,
        job_folder=data.job_folder,
        state=data.state,
    )


def _with_leaves(branch: type[RpcError]) -> list[type[RpcError]]:
    return [branch, *(leaf for twig in branch.__subclasses__() for leaf in _with_leaves(twig))]


_LEAVES: dict[int, type[RpcError]] = {leaf.code: leaf for leaf in _with_leaves(RpcError)}
