"""One message: its envelope read, its reply written. Every byte on the wire passes here.

What lives here: parsing and encoding of JSON-RPC 2.0 objects. What must not: state, methods, I/O.

What arrives is hostile until read: bytes are proven UTF-8 first (the decoder skips what it does not decode),
params stay raw until their method is known, and a batch is cut into at most `max_batch` raw messages without
materialising a single element of it.
"""

from __future__ import annotations

import codecs
import functools
import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

from rpc.call import Progress, RequestId
from rpc.errors import ErrorObject, InvalidParams, InvalidRequest, ParseError, RpcError
from rpc.wiretext import MAX_SAFE_INTEGER, encode_json

_NOTHING = Raw()
_HALF_CHARACTER = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_BRACE = ord("{")
_CHUNK = 1 << 20
_STRUCTURED = frozenset(b"{[n")  # how an object, an array or null starts


class Request(msgspec.Struct, frozen=True, gc=False):
    """A request, or a notification where `id` is UNSET. `params` is raw JSON: empty, an object or an array."""

    jsonrpc: Literal["2.0"]
    method: str
    id: int | float | str | UnsetType | None = UNSET
    params: Raw = _NOTHING


class Malformed(msgspec.Struct, frozen=True):
    """What is no request, and the error that tells so under the id that could be read."""

    error: RpcError
    id: RequestId = None


class Reply(msgspec.Struct, frozen=True):
    """A response-shaped object: for a client to match, for a server to pass over."""

    id: RequestId
    result: Raw = _NOTHING
    error: Raw = _NOTHING


Message = Request | Malformed | Reply


class Batch(msgspec.Struct, frozen=True):
    """An array of messages, answered by one array."""

    messages: tuple[Message, ...]


class _Envelope(msgspec.Struct, frozen=True):
    """Any object, for finding out what is wrong with it."""

    jsonrpc: Raw = _NOTHING
    id: Raw = _NOTHING
    method: Raw = _NOTHING
    params: Raw = _NOTHING
    result: Raw = _NOTHING
    error: Raw = _NOTHING


_request = msgspec.json.Decoder(Request)
_envelope = msgspec.json.Decoder(_Envelope)
_identifier = msgspec.json.Decoder(int | float | str | None)
_encoder = msgspec.json.Encoder()
_raw = msgspec.json.Decoder(Raw)


def parse(body: bytes, max_batch: int) -> Message | Batch:
    """Read one frame. Never raises; memory stays proportional to `body` however it is built."""
    if not (body.isascii() or is_utf8(body)):
        return Malformed(ParseError("The message is not UTF-8."))
    if body and body[0] != _BRACE and body.lstrip(b" \t\r\n").startswith(b"["):
        return _parse_batch(body, max_batch)
    return _parse_one(body)


def is_utf8(body: bytes) -> bool:
    """Whether `body` is valid UTF-8, without ever holding it all as text."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(body), _CHUNK):
            decoder.decode(body[start : start + _CHUNK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _parse_one(body: bytes | Raw) -> Message:
    try:
        request = _request.decode(body)
    except msgspec.ValidationError:
        return _diagnose(body)
    except (msgspec.DecodeError, RecursionError) as error:
        return Malformed(ParseError(_why_no_json(error)), _id_beside_half_characters(body))
    if request.params is not _NOTHING and memoryview(request.params)[0] not in _STRUCTURED:
        return Malformed(InvalidRequest("The params are neither an object nor an array."), _id_of(request))
    return request


def _id_of(request: Request) -> RequestId:
    return None if request.id is UNSET else request.id


def _id_beside_half_characters(body: bytes | Raw) -> RequestId:
    """The id of a request that is no JSON to our decoder only because a text in it holds a lone surrogate.

    JavaScript's JSON.stringify writes such texts, and whoever sent one waits for the answer under its id.
    """
    whole, replaced = _HALF_CHARACTER.subn(rb"\\ufffd", bytes(body))
    if not replaced:
        return None
    try:
        return _id_of(_request.decode(whole))
    except (msgspec.DecodeError, RecursionError):
        return None


def _why_no_json(error: Exception) -> str:
    return "The JSON is nested too deeply." if isinstance(error, RecursionError) else f"{error}."


def _diagnose(body: bytes | Raw) -> Message:
    """The error, or the reply, that an object without the shape of a request is."""
    try:
        envelope = _envelope.decode(body)
    except msgspec.ValidationError:
        return _no_object(body)
    except (msgspec.DecodeError, RecursionError) as error:
        return Malformed(ParseError(_why_no_json(error)))
    identifier, valid = _identify(envelope.id)
    if envelope.method is _NOTHING and (envelope.result is not _NOTHING or envelope.error is not _NOTHING):
        return Reply(identifier, envelope.result, envelope.error)
    return Malformed(InvalidRequest(_what_is_wrong(envelope, valid)), identifier)


def _no_object(body: bytes | Raw) -> Malformed:
    try:
        _raw.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        return Malformed(ParseError(_why_no_json(error)))
    return Malformed(InvalidRequest("The message is not an object."))


def _identify(raw: Raw) -> tuple[RequestId, bool]:
    """The id that can be echoed, and whether there is nothing wrong with it."""
    if raw is _NOTHING:
        return None, True
    try:
        identifier: RequestId = _identifier.decode(raw)
    except msgspec.DecodeError:
        return None, False
    return identifier, True


def _what_is_wrong(envelope: _Envelope, id_valid: bool) -> str:
    if bytes(envelope.jsonrpc) != b'"2.0"':
        return 'The member "jsonrpc" must be "2.0".'
    if not id_valid:
        return 'The member "id" must be a string, a number or null.'
    return 'The member "method" must be a string.'


# Batches


@functools.cache
def _batch_decoder(max_batch: int) -> msgspec.json.Decoder[Any]:
    """An array of at most `max_batch` raw elements. A struct, for it stops at the first element too many."""
    fields = [(f"m{number}", Raw, _NOTHING) for number in range(max_batch)]
    shape = msgspec.defstruct("BatchShape", fields, array_like=True, forbid_unknown_fields=True)
    return msgspec.json.Decoder(shape)


def _parse_batch(body: bytes, max_batch: int) -> Malformed | Batch:
    try:
        shape = _batch_decoder(max_batch).decode(body)
    except msgspec.ValidationError:
        malformed = _no_object(body)
        if isinstance(malformed.error, ParseError):
            return malformed
        return Malformed(InvalidRequest(f"A batch holds at most {max_batch} messages."))
    except (msgspec.DecodeError, RecursionError) as error:
        return Malformed(ParseError(_why_no_json(error)))
    raws = [raw for raw in msgspec.structs.astuple(shape) if raw is not _NOTHING]
    if not raws:
        return Malformed(InvalidRequest("A batch must hold a message."))
    return Batch(tuple(_parse_one(raw) for raw in raws))


# Params


def decode_params(decoder: msgspec.json.Decoder[Any], params: Raw) -> Any:
    """The params as their type has them; absent, null and an empty array are an empty object.

    Raises
    ------
    InvalidParams
        With the path of the offending field in front: "$.clips[3].endSeconds: Expected ...".
    """
    if decoder.type is Raw:
        return params
    text: bytes | Raw = params
    if params is _NOTHING or memoryview(params)[0] == 0x6E:  # the n of null
        text = b"{}"
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        if bytes(text) == b"[]":
            return decode_params(decoder, _NOTHING)
        raise InvalidParams(with_path(str(error))) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidParams(f"$: {_why_no_json(error)}") from error


def with_path(message: str) -> str:
    """A validation message turned round: the path first, a field that is unknown or missing as part of it."""
    reason, _, path = message.partition(" - at `")
    path = path.rstrip("`") or "$"
    for start, said in (("Object contains unknown field", "no such field"), ("Object missing required", "missing")):
        if reason.startswith(start):
            return f"{path}.{reason.split('`')[1]}: {said}"
    return f"{path}: {reason}"


# Writing


class _Result(msgspec.Struct, tag_field="jsonrpc", tag="2.0", gc=False):
    id: Any
    result: Any


class _Failure(msgspec.Struct, tag_field="jsonrpc", tag="2.0"):
    id: Any
    error: ErrorObject


class _Notification(msgspec.Struct, tag_field="jsonrpc", tag="2.0"):
    method: str
    params: Any


class _Request(msgspec.Struct, tag_field="jsonrpc", tag="2.0"):
    id: int
    method: str
    params: Any


class _Tagged(msgspec.Struct):
    token: int | str
    value: Any


def encode_result(identifier: RequestId, result: Any) -> bytes:
    """A reply that carries `result`, null included. What is raw already stays as it is."""
    if type(result) is Raw:
        return _encoder.encode(_Result(identifier, result if result != _NOTHING else None))
    return _encode_reply(_Result(identifier, result))


def encode_error(identifier: RequestId, error: ErrorObject) -> bytes:
    """A reply that carries `error`."""
    return _encode_reply(_Failure(identifier, error))


def _encode_reply(reply: _Result | _Failure) -> bytes:
    """Integers beyond 2^53 become strings, but an id goes back as it came."""
    if isinstance(reply.id, int) and abs(reply.id) > MAX_SAFE_INTEGER:
        identifier, reply.id = _encoder.encode(reply.id), 0
        return encode_json(reply).replace(b'"id":0', b'"id":' + identifier, 1)
    return encode_json(reply)


def encode_batch(replies: Sequence[bytes]) -> bytes:
    """The array that answers a batch."""
    return b"[" + b",".join(replies) + b"]"


def encode_notification(method: str, params: Any) -> bytes:
    """A notification."""
    return encode_json(_Notification(method, params))


def encode_request(identifier: int, method: str, params: Any) -> bytes:
    """A request of our own."""
    return encode_json(_Request(identifier, method, params))


def encode_progress(token: int | str, value: Progress | Sequence[Any]) -> bytes:
    """A `$/progress` notification: how far it is, or rows of a result."""
    return encode_notification("$/progress", _Tagged(token, value))
