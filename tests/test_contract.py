"""The contract holds together: structs resolve, handlers exist, what is generated is current."""

from __future__ import annotations

import inspect
import typing

import msgspec
import pytest

from rpc.methods import Params
from schemas.catalogue import METHODS, WORKER_METHODS
from sidecar.app import build, handler_of, registry
from sidecar.settings import Settings
from tools.generate_contract import stale_files

ALL = (*METHODS, *WORKER_METHODS)


@pytest.fixture
def services(tmp_path):
    return build(Settings(tmp_path / "state", tmp_path / "cache", test_methods=True))


def structs_within(type_, seen=None):
    """Every struct that a type holds, at any depth."""
    seen = set() if seen is None else seen
    if inspect.isclass(type_) and issubclass(type_, msgspec.Struct):
        if type_ in seen:
            return seen
        seen.add(type_)
        for hint in typing.get_type_hints(type_).values():
            structs_within(hint, seen)
    for argument in typing.get_args(type_):
        structs_within(argument, seen)
    return seen


@pytest.mark.parametrize("method", ALL, ids=lambda method: method.name)
def test_structs_resolve_and_can_be_read_and_written(method):
    assert issubclass(method.params, Params)
    msgspec.json.Decoder(method.params)
    msgspec.json.schema(method.result)


@pytest.mark.parametrize("method", ALL, ids=lambda method: method.name)
def test_params_refuse_unknown_fields_at_any_depth(method):
    for struct in structs_within(method.params):
        assert struct.__struct_config__.forbid_unknown_fields, struct


@pytest.mark.parametrize("method", ALL, ids=lambda method: method.name)
def test_every_struct_says_what_it_is(method):
    for struct in structs_within(method.params) | structs_within(method.result):
        assert struct.__doc__, struct
        assert not struct.__doc__.startswith(f"{struct.__name__}("), struct


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_has_a_handler(method, services):
    assert callable(handler_of(method, services))


def test_the_registry_offers_the_catalogue_and_the_test_methods_on_demand_only(services):
    names = {method.name for method in METHODS}

    assert names < set(registry(services))
    production = build(Settings(services.settings.state_folder, services.settings.cache_folder))
    assert names == set(registry(production))


def test_generated_files_are_current():
    assert stale_files() == []
