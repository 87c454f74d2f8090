"""The contract in TypeScript: an interface per struct, a typed descriptor per method.

With vscode-jsonrpc, `connection.sendRequest(AudioClip, params)` is then typed from end to end.
"""

from __future__ import annotations

import json

from msgspec import inspect as types

from rpc.methods import NoParams
from tools.contract.shapes import Field, Shape, Shapes, pascal

_HEADER = """\
// Generated from schemas/ by `python3 dev.py contract`. Do not edit.
import { ProgressType, RequestType, RequestType0 } from "vscode-jsonrpc";

/** Seconds, Hz and decibels are numbers; paths come back absolute. */
export type ProgressToken = number | string;

/** Welcome in the params of every method. */
export interface Tokens {
  /** Asks for `$/progress` under this token. */
  workDoneToken?: ProgressToken | null;
  /** Asks for the rows of long lists as they come. */
  partialResultToken?: ProgressToken | null;
}
"""


def render(shapes: Shapes) -> str:
    """The whole module."""
    interfaces = [_interface(shape, shapes) for shape in shapes.all()]
    return "\n".join([_HEADER, *interfaces, _progress_type(), *_descriptors(shapes), _method_map(shapes)])


def _interface(shape: Shape, shapes: Shapes) -> str:
    parent = " extends Tokens" if shape.is_params else ""
    lines = [*_comment(shape.summary), f"export interface {shape.name}{parent} {{"]
    if shape.tag is not None:
        lines.append(f"  {shape.tag[0]}: {json.dumps(shape.tag[1])};")
    for field in shape.fields:
        lines.append(f"  {field.name}{'?' if field.optional else ''}: {_type(field.type, shapes)};{_default(field)}")
    return "\n".join([*lines, "}\n"])


def _comment(text: str) -> list[str]:
    if not text:
        return []
    return ["/**", *(f" * {line}".rstrip() for line in text.replace("*/", "* /").split("\n")), " */"]


def _default(field: Field) -> str:
    told = field.optional and field.default not in (None, "", "null") and not str(field.default).startswith("{")
    return f" // default {field.default}" if told else ""


def _type(type_: types.Type, shapes: Shapes) -> str:
    match type_:
        case types.Metadata(extra_json_schema={"contentEncoding": "base64"}):
            return "string"
        case types.Metadata():
            return _type(type_.type, shapes)
        case types.BoolType():
            return "boolean"
        case types.IntType() | types.FloatType():
            return "number"
        case types.StrType() | types.BytesType():  # bytes travel as base64
            return "string"
        case types.NoneType():
            return "null"
        case types.LiteralType():
            return " | ".join(json.dumps(value) for value in type_.values)
        case types.UnionType():
            return " | ".join(dict.fromkeys(_type(member, shapes) for member in type_.types))
        case types.TupleType():
            return f"[{', '.join(_type(member, shapes) for member in type_.item_types)}]"
        case types.CollectionType():
            return f"ReadonlyArray<{_type(type_.item_type, shapes)}>"
        case types.DictType():
            return f"Record<string, {_type(type_.value_type, shapes)}>"
        case types.StructType():
            return shapes.name_of(type_.cls)
        case _:
            return "unknown"


def _progress_type() -> str:
    return "\n".join(
        [
            "/** For `connection.onProgress(WorkDone, token, handler)`. */",
            "export const WorkDone = new ProgressType<Progress>();",
            "",
        ]
    )


def _descriptors(shapes: Shapes) -> list[str]:
    lines: list[str] = []
    for method in shapes.methods:
        params, result = _params_and_result(method.name, shapes)
        kind = (
            f"RequestType0<{result}, ErrorData>" if params == "void" else f"RequestType<{params}, {result}, ErrorData>"
        )
        lines.append(f"export const {pascal(method.name)} = new {kind}({json.dumps(method.name)});")
    return [*lines, ""]


def _method_map(shapes: Shapes) -> str:
    lines = ["/** Every method's params and result, by the method's name. */", "export interface Methods {"]
    for method in shapes.methods:
        params, result = _params_and_result(method.name, shapes)
        params = "Tokens" if params == "void" else params
        lines.append(f"  {json.dumps(method.name)}: {{ params: {params}; result: {result} }};")
    return "\n".join([*lines, "}", "", "export type MethodName = keyof Methods;", ""])


def _params_and_result(name: str, shapes: Shapes) -> tuple[str, str]:
    method = next(method for method in shapes.methods if method.name == name)
    params = "void" if method.params is NoParams else shapes.name_of(method.params)
    return params, _type(types.type_info(method.result), shapes)
