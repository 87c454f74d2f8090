"""Makes torchvision and torchaudio importable where their wheels do not fit torch's.

What lives here: two repairs, each made only after the plain import has failed. What must not: anything else that
imports torch; `make_importable` runs first.

A CPU build of torch from one index and wheels of torchvision and torchaudio from another import only in part:
torchvision's compiled operators are missing where its Python code describes them, and torchaudio's native library
was built against CUDA. Neither is needed to score: what is used is pure Python. Builds that fit together
(conda-forge's, PyTorch's own) import as they are and are left alone.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from rpc.errors import EnvironmentNotReady

_kept: list[Any] = []
"""Operator libraries vanish with their object."""

_repaired: list[str] = []
"""Packages import once; what had to be done for it is told every time."""


importing = threading.RLock()
"""Held while packages with circular imports are imported for the first time: two threads that begin at different ends
of such a circle get half a module, or a _DeadlockError."""


def make_importable() -> tuple[str, ...]:
    """Import torchvision and torchaudio, repaired where needed. Returns the names of those repaired in this process.

    Raises
    ------
    EnvironmentNotReady
        One is missing, or cannot be imported even so.
    """
    repairs = {"torchvision": _describe_vision_operators, "torchaudio": _leave_out_native_audio}
    with importing:
        _repaired.extend(name for name, repair in repairs.items() if _import_or_repair(name, repair))
    return tuple(_repaired)


def repairs_made() -> tuple[str, ...]:
    """The names of the packages that were repaired in this process. Imports nothing."""
    return tuple(_repaired)


def _import_or_repair(name: str, repair: Callable[[], None]) -> bool:
    """Import `name`; whether it had to be repaired."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise _not_ready(name, error) from error
    # Whatever a half-fitting native library throws: RuntimeError, OSError, ImportError.
    except Exception:  # noqa: BLE001
        _forget(name)
        repair()
        _import_repaired(name)
        return True
    return False


def _import_repaired(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception as error:
        _forget(name)
        raise _not_ready(name, error) from error


def _describe_vision_operators() -> None:
    """Define the operators whose fake implementations torchvision registers on import."""
    torch = importlib.import_module("torch")
    operators = torch.library.Library("torchvision", "FRAGMENT")
    operators.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    operators.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _kept.append(operators)


def _leave_out_native_audio() -> None:
    """Stand in for `torchaudio._extension`, as torchaudio's own code looks when built without native parts."""
    extension = ModuleType("torchaudio._extension")
    extension.__dict__.update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        _check_cuda_version=lambda: None,
        fail_if_no_align=_without_alignment,
    )
    sys.modules["torchaudio._extension"] = extension


def _without_alignment(function: Callable[..., Any]) -> Callable[..., Any]:
    def refuse(*arguments: Any, **options: Any) -> Any:
        raise RuntimeError(f"{function.__name__} needs torchaudio's native library, which does not fit this torch.")

    return refuse


def _forget(name: str) -> None:
    """Drop what a failed import left behind, so that the next one starts anew."""
    for module in list(_modules_below(name)):
        del sys.modules[module]


def _modules_below(name: str) -> Iterator[str]:
    return (module for module in list(sys.modules) if module == name or module.startswith(f"{name}."))


def _not_ready(name: str, error: BaseException) -> EnvironmentNotReady:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return EnvironmentNotReady(
        f"The ML environment is not usable: {name} cannot be imported ({reason}).",
        hint="Set the environment up again.",
    )
