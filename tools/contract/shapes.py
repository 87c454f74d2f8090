"""The structs of the contract as the generators see them: named once, with their fields and sentences.

What lives here: walking msgspec's type information. What must not: any output language.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import inspect as types

from rpc.call import Progress
from rpc.errors import ErrorData, ErrorObject
from rpc.lifecycle import InitializeParams, InitializeResult, SetTraceParams
from rpc.methods import Method, NoParams
from schemas.catalogue import METHODS

_WRITTEN_BY_CLIENTS = (InitializeParams, SetTraceParams)
_WRITTEN_BY_THE_SERVER = (InitializeResult, Progress, ErrorData, ErrorObject)
_TOKENS = ("workDoneToken", "partialResultToken")


@dataclass(frozen=True, slots=True)
class Field:
    """One field as it stands on the wire. `optional`: it may be left out of the object."""

    name: str
    type: types.Type
    optional: bool
    default: str | None


@dataclass(frozen=True, slots=True)
class Shape:
    """One struct. `tag` is the field and value that tell it from its siblings in a union."""

    name: str
    struct: type[msgspec.Struct]
    summary: str
    fields: tuple[Field, ...]
    tag: tuple[str, str] | None
    is_params: bool


def pascal(method: str) -> str:
    """`audio/clip` -> `AudioClip`."""
    return "".join(word[0].upper() + word[1:] for word in re.split(r"[/.]", method))


class Shapes:
    """Every struct reachable from the methods, by struct. Params are named after their method."""

    def __init__(self, methods: tuple[Method, ...] = METHODS) -> None:
        self.methods = methods
        self._names = {
            method.params: f"{pascal(method.name)}Params" for method in methods if method.params is not NoParams
        }
        self._shapes: dict[type[msgspec.Struct], Shape] = {}
        # Params first: a struct that a client writes has optional fields, wherever else it stands.
        for struct in (*_WRITTEN_BY_CLIENTS, *self._names):
            self._visit(types.type_info(struct), written_by_clients=True)
        for struct in (*_WRITTEN_BY_THE_SERVER, *(method.result for method in methods)):
            self._visit(types.type_info(struct), written_by_clients=False)
        self._refuse_homonyms()

    def all(self) -> list[Shape]:
        """Every shape, by name."""
        return sorted(self._shapes.values(), key=lambda shape: shape.name)

    def of(self, struct: type[msgspec.Struct]) -> Shape:
        """The shape of one struct."""
        return self._shapes[struct]

    def name_of(self, struct: type[msgspec.Struct]) -> str:
        """What a struct is called in every generated language."""
        return self._names.get(struct, struct.__name__)

    def _visit(self, type_: types.Type, *, written_by_clients: bool) -> None:
        if isinstance(type_, types.StructType):
            if type_.cls in self._shapes:
                return
            self._shapes[type_.cls] = self._shape(type_, written_by_clients=written_by_clients)
            inner_types = [field.type for field in self._shapes[type_.cls].fields]
        else:
            inner_types = list(_inner_types(type_))
        for inner in inner_types:
            self._visit(inner, written_by_clients=written_by_clients)

    def _shape(self, type_: types.StructType, *, written_by_clients: bool) -> Shape:
        may_lack = written_by_clients or type_.cls.__struct_config__.omit_defaults
        return Shape(
            name=self.name_of(type_.cls),
            struct=type_.cls,
            summary=_in_wire_names(inspect.cleandoc(type_.cls.__doc__ or "")),
            fields=tuple(_field(field, may_lack) for field in type_.fields if field.encode_name not in _TOKENS),
            tag=None if type_.tag is None else (str(type_.tag_field), str(type_.tag)),
            is_params=type_.cls in self._names,
        )

    def _refuse_homonyms(self) -> None:
        names = [shape.name for shape in self._shapes.values()]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"Two structs of one name: {', '.join(sorted(twice))}")


def _field(field: types.Field, may_lack: bool) -> Field:
    default = None if field.required else _default(field)
    return Field(field.encode_name, field.type, may_lack and not field.required, default)


def _in_wire_names(text: str) -> str:
    """Field names in backticks as they stand on the wire: `start_seconds` becomes `startSeconds`."""
    return re.sub(r"`[a-z0-9_]+`", lambda found: re.sub(r"_([a-z0-9])", lambda m: m[1].upper(), found[0]), text)


def _default(field: types.Field) -> str:
    value: Any = field.default
    if value is msgspec.NODEFAULT:
        value = field.default_factory() if callable(field.default_factory) else None
    return "" if value is msgspec.UNSET else msgspec.json.encode(value).decode()


def _inner_types(type_: types.Type) -> Iterable[types.Type]:
    if isinstance(type_, types.Metadata):
        yield type_.type
    elif isinstance(type_, types.UnionType):
        yield from type_.types
    elif isinstance(type_, types.TupleType):
        yield from type_.item_types
    elif isinstance(type_, types.CollectionType):
        yield type_.item_type
    elif isinstance(type_, types.DictType):
        yield from (type_.key_type, type_.value_type)
