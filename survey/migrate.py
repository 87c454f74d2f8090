"""Older forms of the config file, brought to today's.

What lives here: the flat form of the first description of this system ("seed": `model`, `files`,
`output_file`, `inference_settings`) and that of the program Dipper (`model_source`, `job_folder`,
`output_dir`, `sparse_outputs`, ...). What must not: the check of the outcome (config.py).

Nothing is dropped in silence: each field without a counterpart today becomes a warning.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any, Literal

import msgspec

from rpc.errors import ConfigInvalid, from_os_error
from schemas.config import CwtModel

SourceFormat = Literal["current", "seed", "dipper"]

_DIPPER_ONLY = {
    "cwt_settings", "file_globbing_patterns", "file_list", "job_folder", "mode", "model_source", "output_dir",
    "ribbit_settings", "sparse_outputs", "sparse_save_threshold", "split_by_subfolder", "subset_size",
}  # fmt: skip
_SEED = {"model", "files", "output_file", "inference_settings"}
_MODEL_FILES = {".pt", ".pth", ".model", ".pickle", ".pkl", ".ckpt"}
_WITHOUT_MEANING = {
    "config_output_path", "log_file_path", "python_env", "use_custom_python_env", "custom_python_env_path",
    "testing_mode_enabled", "mode", "model_source", "task_name", "name",
}  # fmt: skip


def recognise(document: Any) -> SourceFormat:
    """Which form `document`, as decoded from JSON, has. What is none of the older ones counts as today's."""
    if not isinstance(document, dict) or {"schemaVersion", "input", "output", "inference"} & document.keys():
        return "current"
    if _DIPPER_ONLY & document.keys():
        return "dipper"
    return "seed" if isinstance(document.get("model"), str) or (_SEED - {"model"}) & document.keys() else "current"


def migrate(document: Any, base: Path) -> tuple[Any, tuple[str, ...]]:
    """`document` in today's form, not yet checked, and what was dropped.

    `base` is the folder that relative paths start from: a list of recordings in a file of its own is read.
    """
    if recognise(document) == "current":
        return document, ()
    return _Migration(document, base).run()


class _Migration:
    """One old document being taken apart: what has been used is remembered, so that the rest can be told."""

    def __init__(self, document: dict[str, Any], base: Path) -> None:
        self._old = document
        self._base = base
        self._used = set(_WITHOUT_MEANING)
        self._warnings: list[str] = []

    def run(self) -> tuple[dict[str, Any], tuple[str, ...]]:
        overlap = self._setting("clip_overlap", "overlap")
        model = self._model()
        if overlap is None and model.get("source") == "ribbit":
            overlap = _section(self._old, "ribbit_settings").get("clip_overlap")
        document = {
            "schemaVersion": 1,
            "name": self._name(),
            "model": model,
            "input": self._input(),
            "output": self._output(),
            "inference": self._inference(overlap),
        }
        self._warn_of_the_rest()
        return document, tuple(self._warnings)

    def _take(self, name: str) -> Any:
        """The value of an old field, which now counts as used."""
        self._used.add(name)
        return self._old.get(name)

    def _setting(self, name: str, flat_name: str) -> Any:
        """A setting of `inference_settings`, or of the same meaning outside it."""
        value = _section(self._old, "inference_settings").get(name)
        flat = self._take(flat_name)
        return flat if value is None else value

    def _name(self) -> str:
        for name in ("task_name", "name"):
            if isinstance(self._old.get(name), str) and self._old[name].strip():
                return str(self._old[name])[:200]
        return "job"

    def _model(self) -> dict[str, Any]:
        source, name = self._old.get("model_source"), self._take("model")
        if self._old.get("mode") not in (None, "classification", "classify"):
            message = f"Runs of mode {self._old['mode']!r} are not offered, only classification."
            raise ConfigInvalid(f"$.mode: {message}")
        makers: dict[Any, Callable[[Any], dict[str, Any]]] = {
            None: _zoo_or_checkpoint,
            "bmz": lambda name: {"source": "zoo", "name": name},
            "local_file": lambda name: {"source": "checkpoint", "path": name},
            "ribbit": lambda _: self._ribbit(),
            "cwt": lambda _: self._cwt(),
        }
        if source not in makers:
            hint = "Zoo models (bmz), model files (local_file), ribbit and cwt are offered."
            raise ConfigInvalid(f"$.model_source: Models of source {source!r} are not offered.", hint=hint)
        return makers[source](name)

    def _ribbit(self) -> dict[str, Any]:
        settings = self._take("ribbit_settings")
        settings = settings if isinstance(settings, dict) else {}
        names = {
            "class_name": "className",
            "signal_band": "signalBandHz",
            "pulse_rate_range": "pulseRateHz",
            "noise_bands": "noiseBandsHz",
            "clip_duration": "clipSeconds",
            "spec_window_samples": "spectrogramWindowSamples",
        }
        unknown = settings.keys() - names.keys() - {"clip_overlap"}
        self._warnings.extend(f"`ribbit_settings.{name}` is not used any more." for name in sorted(unknown))
        model = {new: settings[old] for old, new in names.items() if settings.get(old) is not None}
        return {"source": "ribbit", **model, "className": model.get("className") or "detection"}

    def _cwt(self) -> dict[str, Any]:
        """The settings are named as OpenSoundscape's parameters, then as now."""
        settings = self._take("cwt_settings")
        settings = settings if isinstance(settings, dict) else {}
        names = {field.name: field.encode_name for field in msgspec.structs.fields(CwtModel)}
        self._warnings.extend(
            f"`cwt_settings.{name}` is not used any more." for name in sorted(settings.keys() - names.keys())
        )
        model = {new: settings[old] for old, new in names.items() if settings.get(old) is not None}
        return {"source": "cwt", **model, "className": model.get("className") or "detection"}

    def _input(self) -> dict[str, Any]:
        files = self._take("files") or []
        patterns = self._take("file_globbing_patterns") or []
        listed = self._take("file_list")
        if listed:
            files = [*files, *self._read_list(self._base / str(listed))]
        return {"files": files, "folders": [], "patterns": patterns}

    def _read_list(self, path: Path) -> list[str]:
        """One recording a line. Relative ones start from the folder of the list."""
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except OSError as error:
            raise from_os_error(error, path, "read") from error
        except UnicodeDecodeError as error:
            raise ConfigInvalid(f"The list of recordings {path} is not UTF-8 text.", path=path) from error
        self._warnings.append(
            f"The recordings listed in {path} were taken over; later changes of that file count for nothing."
        )
        return [str(path.parent / line.strip()) for line in lines if line.strip()]

    def _output(self) -> dict[str, Any]:
        """Results used to go to one file or one folder; today each run makes a folder of its own."""
        file, folder, job_folder = self._take("output_file"), self._take("output_dir"), self._take("job_folder")
        output: dict[str, Any] = {"formats": [self._format_of(file)]}
        if job_folder or folder or file:
            output["folder"] = str(folder or job_folder or PurePath(str(file)).parent)
            given = "output_dir" if folder else "job_folder" if job_folder else "output_file"
            self._warnings.append(f"`{given}`: each run now makes a folder of its own inside {output['folder']}.")
        enabled, threshold = self._sparse()
        if enabled:
            output |= {"layout": "sparse", "threshold": threshold}
        elif enabled is False:
            output["layout"] = "dense"
        return output

    def _format_of(self, file: Any) -> str:
        suffix = PurePath(str(file or "")).suffix.lower()
        if suffix in (".pkl", ".pickle"):
            self._warnings.append("Results are not pickled any more; they are written as CSV.")
        return "parquet" if suffix == ".parquet" else "csv"

    def _sparse(self) -> tuple[bool | None, Any]:
        """Whether only scores from a threshold on are kept (None: not said), and the threshold."""
        sparse, threshold = self._take("sparse_outputs"), self._take("sparse_save_threshold")
        flag = self._take("sparse_outputs_enabled")
        if isinstance(sparse, dict):
            return bool(sparse.get("enabled")), sparse.get("threshold")
        if isinstance(threshold, (int, float)) and flag is not False:
            return True, threshold
        return (None, None) if threshold is None and flag is None else (bool(flag), None)

    def _inference(self, overlap: Any) -> dict[str, Any]:
        inference: dict[str, Any] = {
            "clipOverlapSeconds": overlap,
            "batchSize": self._setting("batch_size", "batch_size"),
            "workers": self._setting("num_workers", "worker_count"),
            "activation": self._activation(),
            "classes": self._classes(),
        }
        known = {"clip_overlap", "batch_size", "num_workers", "activation_layer"}
        left = self._take("inference_settings")
        left = left if isinstance(left, dict) else {}
        for name in sorted(left.keys() - known):
            self._warnings.append(f"`inference_settings.{name}` is not used any more.")
        return {name: value for name, value in inference.items() if value is not None}

    def _activation(self) -> str | None:
        layer = _section(self._old, "inference_settings").get("activation_layer")
        if layer not in (None, "none", "sigmoid", "softmax"):
            self._warnings.append(
                f"The activation {layer!r} is not offered; scores are written as the model gives them."
            )
            return None
        return None if layer is None else str(layer)

    def _classes(self) -> list[str] | None:
        chosen = self._take("class_list") or self._take("species_filter")
        if isinstance(chosen, dict):
            chosen = chosen.get("selected_species") if chosen.get("enabled") else None
        if isinstance(chosen, list) and all(isinstance(name, str) for name in chosen):
            return chosen or None
        if chosen:
            self._warnings.append("The choice of classes could not be taken over; all classes are kept.")
        return None

    def _warn_of_the_rest(self) -> None:
        for name in sorted(self._old.keys() - self._used):
            if self._old[name] not in (None, False, "", [], {}):
                self._warnings.append(f"`{name}` is not used any more.")


def _section(document: dict[str, Any], name: str) -> dict[str, Any]:
    section = document.get(name)
    return section if isinstance(section, dict) else {}


def _zoo_or_checkpoint(name: Any) -> dict[str, Any]:
    """What `model` means where nothing says which source it is of: a file by its ending, else a class of the zoo."""
    if isinstance(name, str) and PurePath(name).suffix.lower() in _MODEL_FILES:
        return {"source": "checkpoint", "path": name}
    return {"source": "zoo", "name": name}
