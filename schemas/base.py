"""What the structs of every namespace share."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(description="seconds from the start of the recording")]
NonNegative = Annotated[float, Meta(ge=0)]
Fraction = Annotated[float, Meta(ge=0, lt=1)]
BandHz = Annotated[tuple[NonNegative, NonNegative], Meta(description="lowest and highest frequency, Hz")]


class Wire(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """The base of results and their parts. An optional field that has no value is sent as null."""


class Input(msgspec.Struct, kw_only=True, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The base of objects inside params and of the config file: unknown fields are refused."""
