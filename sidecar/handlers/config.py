"""config/*: the config file of an inference run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import UNSET

from rpc.errors import InvalidParams
from schemas.config import LoadedConfig, LoadParams, SavedConfig, SaveParams, ValidateParams, Validation
from survey import config, preflight
from survey.paths import path_from_wire

if TYPE_CHECKING:
    from rpc.call import Call
    from sidecar.app import Services


def save(params: SaveParams, call: Call, services: Services) -> SavedConfig:
    """config/save."""
    return config.save_config(path_from_wire(params.path), params.config, overwrite=params.overwrite)


def load(params: LoadParams, call: Call, services: Services) -> LoadedConfig:
    """config/load."""
    return config.load_config(path_from_wire(params.path))


def validate(params: ValidateParams, call: Call, services: Services) -> Validation:
    """config/validate."""
    files = [path_from_wire(text, f"$.files[{index}]") for index, text in enumerate(params.files or ())]
    if params.config is not UNSET and params.path is not None:
        raise InvalidParams("$.path: give either `config` or `path`, not both.")
    if params.config is not UNSET:
        return preflight.validate_document(params.config, Path.cwd(), files, call.token)
    if params.path is not None:
        return preflight.validate_file(path_from_wire(params.path), files, call.token)
    if params.files is None:
        raise InvalidParams("$: give `config`, `path` or `files`.")
    return preflight.validate_files(files, call.token)
