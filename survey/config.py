"""The config file of an inference run: read, checked, normalised, written, and compared with another.

What lives here: everything about a config that needs no look at the recordings or the model. What must
not: the older forms (migrate.py), the recordings that a config names (inputs.py).

Relative paths in a config file are relative to the folder of that file, so that a survey can be moved with
its config; those in a config that a program hands over are relative to the server's working folder. In
today's form every path is absolute.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from rpc.decoders import decoder_for
from rpc.errors import ConfigInvalid, FileMissing, RequestFailed, from_os_error
from schemas.config import (
    CheckpointModel,
    Config,
    ConfigProblem,
    InputConfig,
    LoadedConfig,
    ModelConfig,
    OnnxModel,
    PythonModel,
    SavedConfig,
)
from survey import atomic
from survey.faults import find_faults, nearest
from survey.migrate import migrate, recognise
from survey.model_config import known_classes, known_clip_seconds, model_contradictions

MAX_CONFIG_BYTES = 64 * 1024 * 1024
_SHOWN_FAULTS = 5
_LONGEST_SHOWN = 60


def load_config(path: str | Path) -> LoadedConfig:
    """The config in the file at `path`, in whatever form it is, brought to today's.

    Raises
    ------
    FileMissing, PermissionRefused
        The file cannot be read.
    ConfigInvalid
        It is no ordinary file, no JSON, or no config; the message names the field.
    """
    file = Path(path).expanduser().absolute()
    document = read_document(file)
    source_format = recognise(document)
    document, warnings = migrate(document, file.parent)
    return LoadedConfig(
        config=parse_config(document, file.parent, file), source_format=source_format, warnings=warnings
    )


def save_config(path: str | Path, config: Config, *, overwrite: bool = True) -> SavedConfig:
    """Write `config` to `path`, normalised and with every default spelt out.

    Raises
    ------
    ConfigInvalid
        Its fields contradict each other.
    RequestFailed
        The file exists and may not be overwritten or is no config, or cannot be written.
    """
    file = Path(path).expanduser().absolute()
    raise_for(list(contradictions(config)), file)
    whole = normalised(config, Path.cwd())
    if not overwrite and file.exists():
        raise RequestFailed(f"{file} exists already.", path=file, hint="Choose another name, or allow overwriting.")
    if file.exists():
        _refuse_to_lose(file)
    if not file.parent.is_dir():
        raise FileMissing(f"There is no folder {file.parent} to save the config in.", path=file.parent)
    atomic.write_bytes(file, encode_config(whole))
    return SavedConfig(path=str(file), config=whole)


def _refuse_to_lose(file: Path) -> None:
    """Raise when what is at `file` is neither a config, of whatever form, nor empty: a recording, say, or a pipe."""
    try:
        if isinstance(read_document(file), dict):
            return
    except ConfigInvalid as error:
        if file.is_file() and file.stat().st_size == 0:
            return
        raise _not_to_be_replaced(file) from error
    raise _not_to_be_replaced(file)


def _not_to_be_replaced(file: Path) -> RequestFailed:
    what = "no config" if file.is_file() else "no ordinary file"
    hint = "Choose another name, or remove it first if it is not needed."
    return RequestFailed(f"{file} is {what}, so it is not replaced by one.", path=file, hint=hint)


def encode_config(config: Config) -> bytes:
    """`config` as indented JSON, every default spelt out."""
    return msgspec.json.format(msgspec.json.encode(config), indent=2) + b"\n"


def read_document(path: Path) -> Any:
    """The JSON value in the file at `path`; a byte order mark is passed over. Raises as `load_config`."""
    content = _content_of(path).removeprefix(b"\xef\xbb\xbf")
    try:
        content.decode("utf-8")
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigInvalid(f"{path} is not a config file: {_place_of(error, content)}.", path=path) from error


def _content_of(path: Path) -> bytes:
    """All bytes of the ordinary file at `path`, as many as a config may have."""
    try:
        _refuse_odd(path)
        with path.open("rb") as file:
            # A file may grow, and those of /proc have no size: what is read is bounded, not what is announced.
            content = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise from_os_error(error, path, "read") from error
    if len(content) > MAX_CONFIG_BYTES:
        raise ConfigInvalid(f"{path} is too large to be a config file.", path=path)
    return content


def _refuse_odd(path: Path) -> None:
    """Raise when what is at `path` is no ordinary file: opening a pipe or a device could block for ever."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise ConfigInvalid(f"{path} is no ordinary file, but {what}.", path=path, hint="Give the name of a file.")


def _place_of(error: Exception, content: bytes) -> str:
    """What is wrong with the JSON, counted in lines as editors do."""
    message, _, position = str(error).partition(" (byte ")
    digits = position.rstrip(")")
    if not digits.isdigit():
        return "it is nested too deeply" if isinstance(error, RecursionError) else f"it is no JSON ({error})"
    before = content[: int(digits)]
    line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
    return f"{message} in line {line}, column {column}"


def parse_config(document: Any, base: Path, path: Path | None = None) -> Config:
    """`document`, as decoded from JSON, as a normalised Config. `path` is the file it came from, for errors."""
    raise_for(check_config(document), path)
    return normalised(_as_config(document), base)


def check_config(document: Any) -> list[ConfigProblem]:
    """Every fault of `document` (today's form) that can be seen without looking at recordings or models."""
    faults = list(find_faults(document, Config))
    return faults or list(contradictions(_as_config(document)))


def _as_config(document: Any) -> Config:
    decoder_for(Config)
    return msgspec.convert(document, Config)


def raise_for(problems: list[ConfigProblem], path: Path | None = None) -> None:
    """Raise ConfigInvalid that names the problems, if there are any."""
    if not problems:
        return
    shown = " ".join(f"{problem.path}: {problem.message}" for problem in problems[:_SHOWN_FAULTS])
    more = len(problems) - _SHOWN_FAULTS
    tail = f" ({more} more)" if more > 0 else ""
    raise ConfigInvalid(f"The config cannot be used. {shown}{tail}", path=path)


def contradictions(config: Config) -> Iterator[ConfigProblem]:
    """Fields that are right each, but not together."""
    yield from model_contradictions(config.model)
    overlap, clip_seconds = config.inference.clip_overlap_seconds, known_clip_seconds(config.model)
    if clip_seconds is not None and overlap >= clip_seconds:
        message = f"Clips of {clip_seconds:g} s cannot overlap by {overlap:g} s; choose less."
        yield ConfigProblem(path="$.inference.clipOverlapSeconds", message=message)
    threshold = config.output.threshold
    if threshold is not None and not math.isfinite(threshold):
        yield ConfigProblem(path="$.output.threshold", message="The threshold must be a finite number.")
    plan, precision = config.inference.plan, config.inference.precision
    if plan in ("bfloat16", "float16") and plan != precision:
        message = f"The plan {plan} gives other scores than float32; ask for them with precision {plan}."
        yield ConfigProblem(path="$.inference.plan", message=message)
    if config.inference.classes == ():
        yield ConfigProblem(path="$.inference.classes", message="No class is left; null keeps all of them.")
    yield from _unknown_classes(config)


def _unknown_classes(config: Config) -> Iterator[ConfigProblem]:
    known = known_classes(config.model)
    for index, name in enumerate(config.inference.classes or ()):
        if known is not None and name not in known:
            guess = nearest(name, known)
            hint = f" Did you mean {guess!r}?" if guess else ""
            yield ConfigProblem(path=f"$.inference.classes[{index}]", message=f"The model has no class {name!r}.{hint}")


def normalised(config: Config, base: Path) -> Config:
    """`config` with all its paths absolute, those that were relative taken from `base`."""

    def absolute(path: str) -> str:
        return _absolute(path, base)

    chosen = config.input
    return msgspec.structs.replace(
        config,
        model=normalised_model(config.model, base),
        input=InputConfig(
            files=tuple(map(absolute, chosen.files)),
            folders=tuple(map(absolute, chosen.folders)),
            patterns=tuple(map(absolute, chosen.patterns)),
        ),
        output=msgspec.structs.replace(config.output, folder=absolute(config.output.folder)),
    )


def normalised_model(model: ModelConfig, base: Path) -> ModelConfig:
    """`model` with its path absolute, taken from `base` where it was relative."""
    if isinstance(model, CheckpointModel | OnnxModel | PythonModel):
        return msgspec.structs.replace(model, path=_absolute(model.path, base))
    return model


def _absolute(path: str, base: Path) -> str:
    """`path` from the root. Links keep the name by which their user knows them; `~` is the home folder."""
    if path.startswith("file://"):  # a name that is not UTF-8, see paths.py
        return path
    with contextlib.suppress(RuntimeError):  # "~nobody": there is no such user, so it is a file of that name
        path = str(Path(path).expanduser())
    return os.path.abspath(base / path)  # noqa: PTH100  (Path.absolute keeps "..", resolve follows links)


def scoring_part(config: Config) -> dict[str, Any]:
    """What decides which scores a job writes for a recording, and nothing else, as plain JSON values.

    Left out is what changes only where results go, which recordings are scored, or how fast: a job may be
    resumed on another machine, with another batch size, after recordings were added.
    """
    inference, output = config.inference, config.output
    part: dict[str, Any] = {
        "model": config.model,
        "inference": {
            "clipOverlapSeconds": inference.clip_overlap_seconds,
            "activation": inference.activation,
            "classes": inference.classes,
        },
        "output": {"layout": output.layout, "threshold": output.threshold, "topK": output.top_k},
    }
    if inference.precision != "float32":
        part["inference"]["precision"] = inference.precision
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(part))
    return plain


def fingerprint(config: Config) -> str:
    """A hexadecimal SHA-256 that is equal for two configs exactly when they ask for the same scores."""
    return hashlib.sha256(msgspec.json.encode(scoring_part(config), order="sorted")).hexdigest()


def differences(before: Config, after: Config) -> tuple[str, ...]:
    """The JSON paths at which two configs ask for different scores, each with what was there and what is."""
    return scoring_differences(scoring_part(before), scoring_part(after))


def scoring_differences(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, ...]:
    """The same for two that `scoring_part` gave."""
    return tuple(_differing(before, after, "$"))


def _differing(before: Any, after: Any, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            yield from _differing(before.get(name), after.get(name), f"{path}.{name}")
    elif before != after:
        yield f"{path}: {_shown(before)} became {_shown(after)}"


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."
