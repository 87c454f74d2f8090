"""One picture of all detections, each with its caption: what the demo leaves for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_COLUMNS = 3
_WIDTH, _HEIGHT, _CAPTION, _GAP = 420, 210, 46, 14
_PAPER, _INK, _QUIET = "#ffffff", "#1d2430", "#6b7585"


@dataclass(frozen=True, slots=True)
class Card:
    """A spectrogram with its two lines of caption."""

    picture: Path
    title: str
    subtitle: str


def write_sheet(cards: Sequence[Card], path: Path) -> None:
    """Write a PNG with all `cards`, three in a row."""
    rows = -(-len(cards) // _COLUMNS)
    size = (_GAP + _COLUMNS * (_WIDTH + _GAP), _GAP + rows * (_HEIGHT + _CAPTION + _GAP))
    sheet = Image.new("RGB", size, _PAPER)
    for number, card in enumerate(cards):
        row, column = divmod(number, _COLUMNS)
        _paste(sheet, card, _GAP + column * (_WIDTH + _GAP), _GAP + row * (_HEIGHT + _CAPTION + _GAP))
    sheet.save(path, optimize=True)


def _paste(sheet: Image.Image, card: Card, left: int, top: int) -> None:
    with Image.open(card.picture) as picture:
        sheet.paste(picture.convert("RGB").resize((_WIDTH, _HEIGHT), Image.Resampling.LANCZOS), (left, top))
    draw = ImageDraw.Draw(sheet)
    draw.text((left, top + _HEIGHT + 5), card.title, fill=_INK, font=ImageFont.load_default(15))
    draw.text((left, top + _HEIGHT + 25), card.subtitle, fill=_QUIET, font=ImageFont.load_default(13))
