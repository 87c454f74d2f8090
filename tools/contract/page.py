"""docs/protocol.md: every method with its params, result, errors and an example."""

from __future__ import annotations

import json

from msgspec import inspect as types

from rpc.methods import Method, NoParams
from schemas.examples import EXAMPLES
from tools.contract.shapes import Field, Shape, Shapes

_HEADER = """\
<!-- Generated from schemas/ by `python3 dev.py contract`. Do not edit. -->
# Protocol

JSON-RPC 2.0 over stdin and stdout, one message a line or with `Content-Length` headers; see
[transport.md](transport.md) for framing, lifecycle, cancellation and limits. Params are objects. `workDoneToken` and
`partialResultToken` are welcome in all of them; any other unknown field is refused with its path. Seconds, Hz and
decibels are numbers. Paths are absolute or relative to the server's working folder, and come back absolute. A field
with a default may be left out; in results a field without a value is null.

The examples are sent as they stand by `tests/e2e/test_examples.py`.
"""


def render(shapes: Shapes) -> str:
    """The whole page."""
    parts = [_HEADER, _contents(shapes)]
    parts += [_method(method, shapes) for method in shapes.methods]
    parts += ["## Structs\n", *(_struct(shape, shapes) for shape in _parts_of_messages(shapes))]
    return "\n".join(parts)


def _contents(shapes: Shapes) -> str:
    links = [f"[{method.name}](#{_anchor(method.name)})" for method in shapes.methods]
    return f"Methods: {', '.join(links)}. Parts of params and results: [structs](#structs).\n"


def _anchor(name: str) -> str:
    return name.lower().replace("/", "").replace(".", "")


def _method(method: Method, shapes: Shapes) -> str:
    lines = [f"## {method.name}\n"]
    if method.params is NoParams:
        lines.append("No params.\n")
    else:
        shape = shapes.of(method.params)
        lines += [_sentence(shape, method), "", "Params:\n", _fields(shape, shapes)]
    lines.append(_result(method, shapes))
    if method.errors:
        errors = ", ".join(f"{error.code} {error.kind}" for error in dict.fromkeys(method.errors))
        lines.append(f"Errors: {errors}.\n")
    lines.append(_example(method))
    return "\n".join(lines)


def _result(method: Method, shapes: Shapes) -> str:
    type_ = types.type_info(method.result)
    if not isinstance(type_, types.StructType):
        return f"Result: {_type(type_, shapes)}.\n"
    shape = shapes.of(type_.cls)
    return f"Result: **{shape.name}**. {_sentence(shape, method)}\n\n{_fields(shape, shapes)}"


def _sentence(shape: Shape, method: Method) -> str:
    text = shape.summary.removeprefix(f"{method.name}: ")
    return text[:1].upper() + text[1:]


def _example(method: Method) -> str:
    message = {"jsonrpc": "2.0", "id": 1, "method": method.name}
    params = EXAMPLES[method.name]
    text = json.dumps(message if params is None else {**message, "params": params}, ensure_ascii=False)
    return f"```json\n{text}\n```\n"


def _parts_of_messages(shapes: Shapes) -> list[Shape]:
    top = {method.params for method in shapes.methods} | {method.result for method in shapes.methods}
    return [shape for shape in shapes.all() if shape.struct not in top]


def _struct(shape: Shape, shapes: Shapes) -> str:
    tag = "" if shape.tag is None else f"`{shape.tag[0]}` is `{json.dumps(shape.tag[1])}`.\n\n"
    return f"### {shape.name}\n\n{shape.summary}\n\n{tag}{_fields(shape, shapes)}"


def _fields(shape: Shape, shapes: Shapes) -> str:
    if not shape.fields:
        return ""
    if not any(field.optional for field in shape.fields):
        rows = [f"| `{field.name}` | {_type(field.type, shapes)} |" for field in shape.fields]
        return "\n".join(["| field | type |", "|---|---|", *rows, ""])
    rows = [f"| `{field.name}` | {_type(field.type, shapes)} | {_default(field)} |" for field in shape.fields]
    return "\n".join(["| field | type | default |", "|---|---|---|", *rows, ""])


def _default(field: Field) -> str:
    if field.default is None:
        return ""
    return (
        "absent" if field.default == "" else "its defaults" if field.default.startswith('{"') else f"`{field.default}`"
    )


def _type(type_: types.Type, shapes: Shapes) -> str:
    match type_:
        case types.Metadata(extra_json_schema={"contentEncoding": "base64"}):
            return "string (base64)"
        case types.Metadata():
            return _type(type_.type, shapes)
        case types.IntType() | types.FloatType():
            return f"{_number(type_)}{_bounds(type_)}"
        case types.StrType():
            return "string" + (f" matching `{type_.pattern}`".replace("|", "\\|") if type_.pattern else "")
        case types.BytesType():
            return "string (base64)"
        case types.BoolType():
            return "boolean"
        case types.NoneType():
            return "null"
        case types.LiteralType():
            return " or ".join(f"`{json.dumps(value)}`" for value in type_.values)
        case types.UnionType():
            return " or ".join(_type(member, shapes) for member in type_.types)
        case types.TupleType():
            return f"[{', '.join(_type(member, shapes) for member in type_.item_types)}]"
        case types.CollectionType():
            return f"array of {_type(type_.item_type, shapes)}"
        case types.DictType():
            return f"object of {_type(type_.value_type, shapes)}"
        case types.StructType():
            name = shapes.name_of(type_.cls)
            return f"[{name}](#{name.lower()})"
        case _:
            return "anything"


def _number(type_: types.IntType | types.FloatType) -> str:
    return "integer" if isinstance(type_, types.IntType) else "number"


def _bounds(type_: types.IntType | types.FloatType) -> str:
    signs = (("≥", type_.ge), (">", type_.gt), ("≤", type_.le), ("<", type_.lt))
    told = [f"{sign} {bound:g}" for sign, bound in signs if bound is not None]
    return f" {', '.join(told)}" if told else ""
