"""A server on pygls, for comparison."""

from pygls.lsp.server import LanguageServer

server = LanguageServer("comparison", "1")


@server.feature("health")
def health(_params):
    return {"status": "ok"}


@server.feature("echo")
def echo(params):
    return params


@server.feature("bytes")
def many_bytes(params):
    return "x" * params.count


server.start_io()
