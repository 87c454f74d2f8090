"""Requests whose texts hold half a character: no JSON to us, but their sender waits under their id."""

from __future__ import annotations

import json

import pytest

from rpc import messages
from rpc.errors import ParseError
from rpc.messages import Malformed, Request


@pytest.mark.parametrize("text", ["\ud800", "\udc00", "a\ud83d", "\ude00b", "\ud83d\ude00 and \udbff"])
def test_a_lone_surrogate_is_refused_under_the_id_of_its_request(text):
    body = json.dumps({"jsonrpc": "2.0", "id": "x-7", "method": "echo", "params": {"text": text}}).encode()

    message = messages.parse(body, 10)

    assert isinstance(message, Malformed)
    assert isinstance(message.error, ParseError)
    assert message.id == "x-7"


def test_whole_characters_beyond_the_first_plane_are_welcome():
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "echo", "params": {"text": "\U0001f600"}}).encode()

    assert isinstance(messages.parse(body, 10), Request)


@pytest.mark.parametrize("body", [b'{"jsonrpc":"2.0","id":7,"method":"\\ud800', b'{"id":7,"text":"\\ud800"}x'])
def test_what_is_no_json_besides_has_no_id(body):
    message = messages.parse(body, 10)

    assert isinstance(message, Malformed)
    assert message.id is None
