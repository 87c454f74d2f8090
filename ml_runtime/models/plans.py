"""Ways of running a torch network that give equal scores at unequal speed.

What lives here: the plans that there are for a device, and making one. What must not: choosing (pipeline/tuning.py).

A plan takes a batch [clips, 1 or channels, rows, columns] and gives scores [clips, classes] on the CPU.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

Forward = Callable[[torch.Tensor], torch.Tensor]

EAGER = "eager"
_HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a network runs: `threads` count on the CPU; its input is repeated to `channels`, None where it has all."""

    device: torch.device
    threads: int
    channels: int | None = None


def plans_for(device: torch.device, precision: str) -> tuple[str, ...]:
    """Plans worth a try, eager first; with half a precision that the device can calculate in, that too."""
    if device.type == "cpu":
        full = (EAGER, "frozen-channels-last", *(("onnx",) if _can_export() else ()))
    else:
        full = (EAGER, "channels-last", "frozen-channels-last")
    return (*full, precision) if precision in _HALVES and _calculates_in(precision, device) else full


def make_plan(plan: str, network: torch.nn.Module, example: torch.Tensor, setting: Setting) -> Forward:
    """`network`, which stays as it is, to be run by `plan`. `example` is a batch as it will get.

    Raises
    ------
    RuntimeError or whatever else torch and onnxruntime raise
        The network cannot be run so.
    """
    if plan == EAGER:
        return _Widened(network, setting.channels)
    if plan in _HALVES:
        return _in_half(_channels_last(network, setting.channels), setting.device, _HALVES[plan])
    if plan == "channels-last":
        return _channels_last(network, setting.channels)
    if plan == "onnx":
        return _by_onnxruntime(_Widened(network, setting.channels), example, setting.threads)
    widened = (
        _channels_last(network, setting.channels) if plan.endswith("last") else _Widened(network, setting.channels)
    )
    return _frozen(widened, example)


class _Widened(torch.nn.Module):  # type: ignore[misc]  # torch is not there where types are checked
    """A network whose input, one channel, is repeated for every channel that it takes."""

    def __init__(self, network: torch.nn.Module, channels: int | None, layout: Any = None) -> None:
        super().__init__()
        self._network = network
        self._channels = channels
        self._layout = layout
        self.eval()

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        if self._channels is not None:
            batch = batch.expand(-1, self._channels, -1, -1)
        if self._layout is not None:
            batch = batch.contiguous(memory_format=self._layout)
        scores: torch.Tensor = self._network(batch)
        return scores


def _channels_last(network: torch.nn.Module, channels: int | None) -> _Widened:
    # Nothing in torch's annotations says that `to` takes a layout.
    moved: Any = copy.deepcopy(network)
    return _Widened(moved.to(memory_format=torch.channels_last), channels, torch.channels_last)


def _frozen(network: torch.nn.Module, example: torch.Tensor) -> Forward:
    with torch.inference_mode(mode=False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(network, example.clone(), check_trace=False)
        frozen: Forward = torch.jit.freeze(traced)
    return frozen


def _in_half(network: torch.nn.Module, device: torch.device, kind: torch.dtype) -> Forward:
    def forward(batch: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, kind):
            scores: torch.Tensor = network(batch)
        return scores.float()

    return forward


def _by_onnxruntime(network: torch.nn.Module, example: torch.Tensor, threads: int) -> Forward:
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Threads that spin while they wait take the processors from those that prepare clips.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = runtime.InferenceSession(_exported(network, example), options, providers=["CPUExecutionProvider"])

    def forward(batch: torch.Tensor) -> torch.Tensor:
        (scores,) = session.run(["scores"], {"batch": batch.numpy()})
        return torch.from_numpy(scores)

    return forward


def _exported(network: torch.nn.Module, example: torch.Tensor) -> bytes:
    stream = io.BytesIO()
    with torch.inference_mode(mode=False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example.clone(),),
            stream,
            dynamo=False,
            input_names=["batch"],
            output_names=["scores"],
            dynamic_axes={"batch": {0: "clips"}, "scores": {0: "clips"}},
        )
    return stream.getvalue()


def _can_export() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("onnx", "onnxruntime"))


def _calculates_in(precision: str, device: torch.device) -> bool:
    """Whether the device has instructions for it; without them it is emulated, at a hundredth of the speed."""
    if device.type == "cpu":
        return precision == "bfloat16" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    if device.type == "cuda" and precision == "bfloat16":
        return bool(torch.cuda.is_bf16_supported())
    return True
