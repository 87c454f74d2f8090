"""The worker's methods: what a sidecar may ask of the process that holds the models.

What lives here: the registry for rpc.channel.serve, and the handlers. What must not: pipes and threads
(rpc.channel), how a job is run (run.py).
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import platform
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ml_runtime import results, run
from ml_runtime.compat import importing, make_importable
from ml_runtime.models.imports import import_weights
from ml_runtime.models.registry import ModelProvider, check_model, list_models
from ml_runtime.pipeline.choices import Choices
from rpc.call import Call
from rpc.channel import Registry
from rpc.errors import Busy
from rpc.methods import Handler, Method
from schemas.catalogue import WORKER_METHODS
from schemas.models import ImportedWeights, ModelList, PreparedModel
from schemas.worker import (
    CheckModelParams,
    DescribeParams,
    ImportWeightsParams,
    JobOutcome,
    ModelsParams,
    PrepareModelParams,
    RunJobParams,
    WorkerDescription,
)
from survey.job_folder import JobFolder
from survey.paths import path_from_wire

_POLL_SECONDS = 0.05
_LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"


class Worker:
    """Holds the warm model between calls, and runs one job at a time."""

    def __init__(self) -> None:
        self._provider = ModelProvider()
        self._running = threading.Lock()
        self._loading = threading.Lock()

    def describe(self, params: DescribeParams, call: Call) -> WorkerDescription:
        """worker/describe: really import the ML packages."""
        make_importable()
        for name in ("opensoundscape", "bioacoustics_model_zoo"):
            call.token.raise_if_cancelled()
            with importing:
                importlib.import_module(name)
        return WorkerDescription(
            python_path=sys.executable,
            python_version=platform.python_version(),
            packages=results.installed_packages(),
            devices=_devices(),
            libpython=_libpython(),
        )

    def models(self, params: ModelsParams, call: Call) -> ModelList:
        """worker/models: every model source, and whether it can run here."""
        return list_models()

    def check(self, params: CheckModelParams, call: Call) -> None:
        """worker/check: refuse a model that cannot run here, before anything is made for it."""
        check_model(params.model, params.device)

    def prepare(self, params: PrepareModelParams, call: Call) -> PreparedModel:
        """worker/prepare: fetch a model's weights, and load it."""
        with self._loading_alone(call):
            if self._running.locked():
                raise Busy("This worker is running a job.", hint="Prepare the model when the job has ended.")
            return self._provider.prepare(params.model, trust=params.trust, token=call.token, on_progress=call.report)

    def take_over(self, params: ImportWeightsParams, call: Call) -> ImportedWeights:
        """worker/import: copy weights from a folder to where the models look for them."""
        make_importable()
        folder = path_from_wire(params.path)
        return import_weights(folder, call.token, call.report, overwrite=params.overwrite)

    def run(self, params: RunJobParams, call: Call) -> JobOutcome:
        """worker/run: score what the job folder asks for and does not hold yet."""
        if not self._running.acquire(blocking=False):
            raise Busy("This worker is running a job already.")
        try:
            folder = JobFolder.open(params.job_folder)
            # Weights that are fetched just now may be those of this very job.
            with self._loading_alone(call), job_log(folder):
                choices = None if params.cache_folder is None else Choices(path_from_wire(params.cache_folder))
                return run.run_job(folder, self._provider, call.token, call.report, trust=params.trust, choices=choices)
        finally:
            self._running.release()

    @contextlib.contextmanager
    def _loading_alone(self, call: Call) -> Iterator[None]:
        """Wait until nobody else loads a model: two would not fit into memory."""
        while not self._loading.acquire(timeout=_POLL_SECONDS):
            call.token.raise_if_cancelled()
        try:
            yield
        finally:
            self._loading.release()


def registry(worker: Worker) -> Registry:
    """The worker's methods with their handlers, for rpc.channel.serve."""
    handlers: dict[str, Callable[[Any, Call], Any]] = {
        "worker/describe": worker.describe,
        "worker/models": worker.models,
        "worker/check": worker.check,
        "worker/prepare": worker.prepare,
        "worker/import": worker.take_over,
        "worker/run": worker.run,
    }
    return {method.name: _route(method, handlers[method.name]) for method in WORKER_METHODS}


@contextlib.contextmanager
def job_log(folder: JobFolder) -> Iterator[None]:
    """Write what ml_runtime logs into the job's log.txt too; a log that cannot be written stops no job."""
    logger = logging.getLogger("ml_runtime")
    level = logger.level
    try:
        handler: logging.Handler = logging.FileHandler(folder.log_path, encoding="utf-8", errors="backslashreplace")
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter(_LOG_FORMAT))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
        handler.close()


def _route(method: Method, handler: Handler) -> tuple[Method, Callable[[], Handler]]:
    return method, lambda: handler


def _devices() -> tuple[str, ...]:
    torch = importlib.import_module("torch")
    cuda = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return ("cpu", *cuda, *(["mps"] if torch.backends.mps.is_available() else []))


def _libpython() -> str | None:
    """The file that the interpreter's code was loaded from; None where the system does not tell."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return None
    loaded = [line.split(maxsplit=5)[-1].strip() for line in maps.read_text(errors="replace").splitlines()]
    return next((path for path in loaded if "libpython" in path), sys.executable)
