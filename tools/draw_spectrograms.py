"""Draw docs/spectrograms: every colormap on every frequency scale, of one sound whose content is known."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import get_args

import numpy as np
import soundfile
from numpy.typing import NDArray

from rpc.cancel import CancelToken
from schemas.audio import ClipParams, Colormap, SpectrogramSettings
from sidecar.audio.clips import render_clip
from sidecar.audio.picture import Scale

RATE = 32000
SECONDS = 3.0
FOLDER = Path(__file__).parent.parent / "docs" / "spectrograms"
INTRODUCTION = """# Every colormap on every scale

Drawn by `python -m tools.draw_spectrograms`, 32 kHz, windows of 512 samples, half overlapping, -90 to -30 dB, 300 x
200 pixels. The sound, from left to right:

* all the time: white noise, and a steady tone of 1 kHz (marked by the dashed reference line in the last row);
* 0.2 to 0.8 s: a whistle that rises from 2 to 6 kHz;
* 1.0 s: a click, one sample long, which is a vertical line in every scale;
* 1.2 to 2.0 s: a toad's trill, 2.2 kHz in 20 pulses a second;
* 2.2 to 2.9 s: a harmonic call of 500 Hz with ten overtones: evenly spaced on the linear scale, closer and closer
  upwards on the other two.

"""


def chorus() -> NDArray[np.float32]:
    """The sound that the page describes, shape [samples]."""
    moments = np.arange(int(SECONDS * RATE)) / RATE
    sound = np.random.default_rng(0).normal(0, 0.004, len(moments))
    sound += 0.02 * np.sin(2 * np.pi * 1000 * moments)
    since = np.clip(moments - 0.2, 0, 0.6)
    sound += 0.1 * np.sin(2 * np.pi * (2000 * since + 4000 / 0.6 * since**2 / 2)) * (since > 0) * (since < 0.6)
    sound[RATE] += 0.9
    pulses = (moments > 1.2) & (moments < 2.0) & ((moments * 20) % 1 < 0.5)
    sound += 0.1 * np.sin(2 * np.pi * 2200 * moments) * pulses
    call = (moments > 2.2) & (moments < 2.9)
    for overtone in range(1, 12):
        sound += 0.06 / overtone * np.sin(2 * np.pi * 500 * overtone * moments) * call
    return sound.astype(np.float32)


def draw(recording: Path, name: str, settings: SpectrogramSettings) -> None:
    """One picture of the whole recording."""
    request = ClipParams(
        path=str(recording), start_seconds=0, end_seconds=SECONDS, spectrogram=settings, include=("spectrogram",)
    )
    picture = render_clip(request, CancelToken()).picture
    assert picture is not None
    (FOLDER / f"{name}.png").write_bytes(picture.png)


def main() -> None:
    """Draw all pictures, and the page that shows them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    scales, colormaps = get_args(Scale), get_args(Colormap)
    table = [f"| | {' | '.join(scales)} |", "|---" * (len(scales) + 1) + "|"]
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "chorus.wav"
        soundfile.write(recording, chorus(), RATE, "FLOAT")
        for colormap in (*colormaps, "reference"):
            cells = []
            for scale in scales:
                settings = SpectrogramSettings(
                    scale=scale,
                    colormap="greys" if colormap == "reference" else colormap,
                    decibel_range=(-90.0, -30.0),
                    width_pixels=300,
                    height_pixels=200,
                    reference_frequency_hz=1000.0 if colormap == "reference" else None,
                )
                draw(recording, f"{colormap}-{scale}", settings)
                cells.append(f"![{colormap}, {scale}](spectrograms/{colormap}-{scale}.png)")
            table.append(f"| {colormap} | {' | '.join(cells)} |")
    (FOLDER.parent / "spectrograms.md").write_text(INTRODUCTION + "\n".join(table) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
