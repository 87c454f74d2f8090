"""rpc.discover."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import schemas

if TYPE_CHECKING:
    from rpc.call import Call
    from rpc.methods import NoParams
    from schemas.discover import Document
    from sidecar.app import Services

OPENRPC = Path(schemas.__file__).parent / "json" / "openrpc.json"


def discover(_params: NoParams, _call: Call, _services: Services) -> Document:
    """The document that `dev.py contract` generated and that stands beside the structs."""
    document: Document = msgspec.json.decode(OPENRPC.read_bytes())
    return document
