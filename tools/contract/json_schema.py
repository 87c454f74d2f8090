"""JSON Schemas: a self-contained one per params and result, and all of them in one OpenRPC document."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from rpc.errors import RpcError
from rpc.methods import Method
from schemas.examples import EXAMPLES
from schemas.version import VERSION
from tools.contract.shapes import Shapes

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/components/schemas/{name}"


def schema_of(type_: Any) -> str:
    """The JSON Schema of one struct, with everything it refers to inside."""
    return to_text({"$schema": _DIALECT, **msgspec.json.schema(type_)})


def openrpc(shapes: Shapes) -> str:
    """The whole contract as one OpenRPC 1.3 document, as `rpc.discover` answers it."""
    pairs = [(method.params, method.result) for method in shapes.methods]
    schemas, components = msgspec.json.schema_components([part for pair in pairs for part in pair], ref_template=_REF)
    methods = [
        _method(method, params, result, components)
        for method, params, result in zip(shapes.methods, schemas[::2], schemas[1::2], strict=True)
    ]
    info = {"title": "Dipper sidecar", "version": VERSION, "license": {"name": "MIT"}}
    return to_text({"openrpc": "1.3.2", "info": info, "methods": methods, "components": {"schemas": components}})


def to_text(document: Any) -> str:
    """A document as it is committed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _method(
    method: Method, params: dict[str, Any], result: dict[str, Any], components: dict[str, Any]
) -> dict[str, Any]:
    properties = _resolved(params, components)
    required = properties.get("required", [])
    return {
        "name": method.name,
        "summary": (properties.get("description") or "").split("\n")[0],
        "paramStructure": "by-name",
        "params": [
            {"name": name, "required": name in required, "schema": schema}
            for name, schema in properties.get("properties", {}).items()
        ],
        "result": {"name": "result", "schema": result},
        "errors": [_error(error) for error in method.errors],
        "examples": [
            {
                "name": method.name,
                "params": [{"name": name, "value": value} for name, value in (EXAMPLES[method.name] or {}).items()],
            }
        ],
    }


def _resolved(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    resolved: dict[str, Any] = components[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return resolved


def _error(error: type[RpcError]) -> dict[str, Any]:
    return {"code": error.code, "message": error.kind}
