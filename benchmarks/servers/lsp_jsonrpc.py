"""A server on python-lsp-jsonrpc's stream classes and endpoint, for comparison."""

import sys

from pylsp_jsonrpc.endpoint import Endpoint
from pylsp_jsonrpc.streams import JsonRpcStreamReader, JsonRpcStreamWriter

METHODS = {
    "health": lambda _params: {"status": "ok"},
    "echo": lambda params: params,
    "bytes": lambda params: "x" * params["count"],
}

endpoint = Endpoint(METHODS, JsonRpcStreamWriter(sys.stdout.buffer).write)
JsonRpcStreamReader(sys.stdin.buffer).listen(endpoint.consume)
