"""Every fault of a document that should fit a struct, each with its JSON path and what would be right.

What lives here: the comparison of plain JSON values with msgspec structs. What must not: knowledge of any
particular struct. `msgspec.convert` stops at the first fault; a person who edits a file by hand wants all
of them at once, and the name that they probably meant.
"""

from __future__ import annotations

import types
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from schemas.config import ConfigProblem


def find_faults(document: Any, kind: Any, path: str = "$") -> Iterator[ConfigProblem]:
    """All places at which `document` (as decoded from JSON) does not fit the type `kind`."""
    structs = _structs_of(kind)
    if not structs:
        yield from _value_faults(document, kind, path)
    elif not isinstance(document, dict):
        yield ConfigProblem(path=path, message=f"Expected an object, got {_name_of(document)}.")
    elif len(structs) == 1:
        yield from _field_faults(document, structs[0], path)
    else:
        yield from _tagged_faults(document, structs, path)


def nearest(word: str, known: Collection[str]) -> str | None:
    """The known word that `word` was probably meant to be; upper and lower case make no difference."""
    by_lower = {name.lower(): name for name in known}
    matches = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else None


def _structs_of(kind: Any) -> tuple[type[msgspec.Struct], ...]:
    """The structs that `kind` may be; none where it is no struct or union of structs."""
    members = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    structs = tuple(member for member in members if isinstance(member, type) and issubclass(member, msgspec.Struct))
    return structs if len(structs) == len(members) else ()


def _tagged_faults(
    document: dict[str, Any], structs: tuple[type[msgspec.Struct], ...], path: str
) -> Iterator[ConfigProblem]:
    tag_field = structs[0].__struct_config__.tag_field or "type"
    by_tag = {str(struct.__struct_config__.tag): struct for struct in structs}
    tag = document.get(tag_field)
    if tag is None:
        yield ConfigProblem(path=path, message=f"`{tag_field}` is missing; it is one of {_listed(by_tag)}.")
    elif not isinstance(tag, str) or tag not in by_tag:
        yield ConfigProblem(path=f"{path}.{tag_field}", message=_not_one_of(tag, by_tag))
    else:
        yield from _field_faults(document, by_tag[tag], path)


def _field_faults(document: dict[str, Any], struct: type[msgspec.Struct], path: str) -> Iterator[ConfigProblem]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    expected = {*fields, struct.__struct_config__.tag_field}
    missing = [name for name, field in fields.items() if field.required and name not in document]
    for name in document:
        if name not in expected:
            guess = nearest(name, [known for known in fields if known not in document]) or nearest(name, fields)
            hint = f" Did you mean `{guess}`?" if guess else f" Known here: {_listed(fields)}."
            yield ConfigProblem(path=f"{path}.{name}", message=f"There is no such field.{hint}")
    for name in missing:
        yield ConfigProblem(path=f"{path}.{name}", message="This field is missing, and it has no default.")
    for name, value in document.items():
        if name in fields:
            yield from find_faults(value, fields[name].type, f"{path}.{name}")


def _value_faults(value: Any, kind: Any, path: str) -> Iterator[ConfigProblem]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `")
        where = path + place.removesuffix("`").removeprefix("$")
        choices = _choices(kind)
        if message.startswith("Invalid enum value") and choices:
            message = _not_one_of(value, choices)
        description = _description(kind)
        yield ConfigProblem(path=where, message=f"{message.rstrip('.')} ({description})." if description else message)


def _choices(kind: Any) -> tuple[str, ...]:
    """The words that a Literal (or the elements of a tuple of Literals) may be."""
    if get_origin(kind) is Literal:
        return tuple(str(choice) for choice in get_args(kind))
    return tuple(choice for part in get_args(kind) for choice in _choices(part))


def _description(kind: Any) -> str | None:
    """What an Annotated type says of itself."""
    if get_origin(kind) is not Annotated:
        return None
    return next((meta.description for meta in get_args(kind)[1:] if isinstance(meta, msgspec.Meta)), None)


def _not_one_of(value: Any, known: Collection[str]) -> str:
    guess = nearest(value, known) if isinstance(value, str) else None
    hint = f" Did you mean `{guess}`?" if guess else ""
    return f"Expected one of {_listed(known)}, got {_shown(value)}.{hint}"


def _listed(names: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _name_of(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
