"""What a method is, seen from the wire: its name, the structs of its params and result, its handler.

What lives here: descriptions. What must not: dispatch (peer.py), threads (channel.py), any method of ours.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import msgspec

from rpc.errors import RpcError

if TYPE_CHECKING:
    from rpc.call import Call

ProgressToken = int | str


class Params(msgspec.Struct, kw_only=True, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The base of every method's params. Both tokens are welcome everywhere; unknown fields are not.

    `work_done_token` asks for `$/progress` under that token, `partial_result_token` for the rows of long
    lists as they come.
    """

    work_done_token: ProgressToken | None = None
    partial_result_token: ProgressToken | None = None

    @property
    def has_token(self) -> bool:
        """Whether the client wants to hear of it before its end."""
        return self.work_done_token is not None or self.partial_result_token is not None


class NoParams(Params, frozen=True):
    """A method without params of its own."""


class Method(msgspec.Struct, frozen=True):
    """One method of a contract. The structs are named, not imported: a server starts before it needs them.

    A `quick` method answers in a millisecond or two and waits for nothing; it has a thread of its own, so that
    it is answered while every other thread is busy.
    """

    name: str
    module: str
    params_name: str
    result_name: str
    errors: tuple[type[RpcError], ...] = ()
    quick: bool = False

    @property
    def params(self) -> Any:
        """The struct of the params, imported on first use. (Test methods have arrays, too.)"""
        if self.params_name == "NoParams":
            return NoParams
        return getattr(importlib.import_module(self.module), self.params_name)

    @property
    def result(self) -> Any:
        """The type of the result; `None` for a method that answers null."""
        if self.result_name == "None":
            return None
        return getattr(importlib.import_module(self.module), self.result_name)


Handler = Callable[[Any, "Call"], "Any | Future[Any]"]
"""What answers a request: `handler(params, call)` returns the result struct, or a Future of it, in which
case no thread is held until the Future is done."""
