"""Draw the icon: a call in a spectrogram, as PNG, ICO (Windows) and ICNS (macOS) in electron/icons/.

    .venv/bin/python -m tools.draw_icon

The files are committed; this is how to make them again. What must not live here: anything that a build runs.
"""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from tools.paths import ROOT

FOLDER = ROOT / "electron" / "icons"
SIZES = (16, 24, 32, 48, 64, 128, 256)
_SIDE = 1024
_FINER = 2
_TOP, _BOTTOM = (16, 42, 58), (6, 17, 30)
_GLOW, _CALL = (232, 121, 59), (255, 224, 150)
_SYLLABLES = ((0.17, 0.18), (0.42, 0.22), (0.71, 0.13))
"""Where a syllable begins and how long it is, in parts of the side."""


def draw_icon() -> Image.Image:
    """The icon, 1024 pixels a side."""
    side = _SIDE * _FINER
    ground = _vertical_gradient(side)
    glow = Image.new("RGB", (side, side))
    _draw_calls(ImageDraw.Draw(glow), side, _GLOW, 0.062)
    bright = Image.new("L", (side, side))
    _draw_calls(ImageDraw.Draw(bright), side, 255, 0.030)
    blurred = glow.filter(ImageFilter.GaussianBlur(side * 0.022))
    lit = ImageChops.add(ground, blurred)
    lit.paste(_CALL, mask=bright.filter(ImageFilter.GaussianBlur(side * 0.004)))
    lit.putalpha(_rounded(side))
    return lit.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)


def _draw_calls(draw: ImageDraw.ImageDraw, side: int, colour: tuple[int, int, int] | int, width: float) -> None:
    """Three syllables that rise, peak and fall, and a fainter overtone above each."""
    for begin, length in _SYLLABLES:
        for height, thinner in ((0.74, 1.0), (0.42, 0.6)):
            points = []
            for step in range(201):
                part = step / 200
                rise = math.sin(math.pi * part**0.8)
                points.append(((begin + length * part) * side, (height - 0.20 * rise * thinner) * side))
            radius = width * thinner * side / 2
            for x, y in points:
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _vertical_gradient(side: int) -> Image.Image:
    ramp = Image.linear_gradient("L").resize((side, side))
    return Image.composite(Image.new("RGB", (side, side), _BOTTOM), Image.new("RGB", (side, side), _TOP), ramp)


def _rounded(side: int) -> Image.Image:
    mask, margin = Image.new("L", (side, side)), side * 0.04
    box = (margin, margin, side - margin, side - margin)
    ImageDraw.Draw(mask).rounded_rectangle(box, radius=side * 0.2, fill=255)
    return mask


def write_icons(folder: Path) -> None:
    """Write icon.png, icon.ico and icon.icns."""
    folder.mkdir(exist_ok=True)
    icon = draw_icon()
    icon.resize((512, 512), Image.Resampling.LANCZOS).save(folder / "icon.png", optimize=True)
    icon.save(folder / "icon.ico", sizes=[(side, side) for side in SIZES])
    icon.save(folder / "icon.icns")


if __name__ == "__main__":
    write_icons(FOLDER)
