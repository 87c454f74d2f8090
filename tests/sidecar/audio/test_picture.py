"""What a picture shows, read back out of its PNG with Pillow: frequencies, levels, times, colours, sizes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rpc.cancel import CancelToken
from rpc.errors import InvalidParams
from schemas.audio import SpectrogramSettings
from sidecar.audio.colormaps import palette
from sidecar.audio.picture import draw_spectrogram
from tests.sounds import click, noise, tone

RATE = 32000
SCALES = ["linear", "mel", "log"]
SIZES = [(224, 224), (100, 37), (640, 480), (31, 700)]
ML_PYTHON = Path(__file__).parents[3] / ".ml" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def draw(samples, rate=RATE, **settings):
    return draw_spectrogram(samples, rate, SpectrogramSettings(**settings), CancelToken())


def decibels_of(picture):
    """The decibels of each pixel, from the palette index of the PNG, shape [rows, columns] from the top down."""
    with Image.open(io.BytesIO(picture.png)) as image:
        assert image.mode == "P"
        levels = np.asarray(image).astype(float)
    low, high = picture.decibel_range
    return low + levels / 255 * (high - low)


def row_of(hertz, scale, low, high, height):
    """Where a frequency lies, counted in rows from the top, by formulas of its own."""

    def place(f):
        return {"linear": f, "mel": 1127 * np.log1p(f / 700), "log": np.log2(f or 1)}[scale]

    return (place(high) - place(hertz)) / (place(high) - place(low)) * height


def loudest_power_in_scipy(samples, rate=RATE, window=512):
    _, _, power = scipy.signal.spectrogram(samples, rate, "hann", window, window // 2, detrend=False)
    return 10 * np.log10(power.mean(axis=1).max())


@pytest.mark.parametrize(("scale", "size"), list(product(SCALES, SIZES)))
@pytest.mark.parametrize("hertz", [440.0, 1000.0, 3456.7, 12000.0])
def test_a_tones_ridge_lies_at_its_frequency_with_its_level(hertz, scale, size):
    samples = tone(hertz, seconds=2)

    picture = draw(samples, scale=scale, width_pixels=size[0], height_pixels=size[1], decibel_range=(-100, 0))

    decibels = decibels_of(picture)
    low, high = picture.frequency_range_hz
    assert decibels.shape == size[::-1]
    ridge = decibels[:, size[0] // 2]
    peak = np.flatnonzero(ridge > ridge.max() - 0.5).mean() + 0.5
    # The nearest bin may lie half a bin from the tone, and the pixel half a pixel from the bin.
    bin_rows = abs(row_of(hertz + 40, scale, low, high, size[1]) - row_of(hertz - 40, scale, low, high, size[1])) / 2
    assert peak == pytest.approx(row_of(hertz, scale, low, high, size[1]), abs=1 + bin_rows)
    assert ridge.max() == pytest.approx(loudest_power_in_scipy(samples), abs=100 / 255)


@pytest.mark.parametrize("scale", SCALES)
def test_every_column_shows_a_steady_tone_alike(scale):
    decibels = decibels_of(draw(tone(4000, seconds=2), scale=scale))

    assert np.ptp(decibels.max(axis=0)) < 1


@pytest.mark.parametrize("band", [(2000.0, 6000.0), (3900.0, 4100.0), (0.0, 16000.0)])
@pytest.mark.parametrize("scale", SCALES)
def test_a_frequency_range(band, scale):
    picture = draw(tone(4000, seconds=2), frequency_range_hz=band, scale=scale)

    low, high = picture.frequency_range_hz
    peak = decibels_of(picture).mean(axis=1).argmax() + 0.5
    assert high == band[1]
    assert low == (max(band[0], RATE / 512) if scale == "log" else band[0])
    assert peak == pytest.approx(row_of(4000, scale, low, high, 224), abs=1.5)


@pytest.mark.parametrize("width", [50, 224, 1000])
@pytest.mark.parametrize("seconds", [0.02, 0.5, 1.234, 1.98])
def test_a_click_lies_at_its_column(width, seconds):
    decibels = decibels_of(draw(click(seconds, seconds=2), width_pixels=width, decibel_range=(-150, 0)))

    loud = decibels.mean(axis=0)
    column = np.flatnonzero(loud >= loud.max() - 1).mean()
    # A frame is 8 ms apart from the next, and shows what happened within 16 ms.
    assert column == pytest.approx(seconds / 2 * width - 0.5, abs=1 + 0.004 * width / 2 + 1e-9)


def test_a_second_of_sound_begins_at_its_column():
    samples = np.concatenate([np.zeros(RATE, np.float32), tone(3000)])

    decibels = decibels_of(draw(samples, width_pixels=200)).max(axis=0)

    assert np.all(decibels[:98] == -80)
    assert np.all(decibels[102:] > -30)


def test_native_size_is_the_spectrogram_itself():
    samples = noise(10_000)[:, 0]

    picture = draw(samples, resize=False, decibel_range=(-100, 0))

    _, _, power = scipy.signal.spectrogram(samples, RATE, "hann", 512, 256, detrend=False)
    expected = np.clip(10 * np.log10(power[::-1]), -100, 0)
    assert np.max(np.abs(decibels_of(picture) - expected)) <= 100 / 255 / 2 + 0.01


@pytest.mark.parametrize("scale", ["mel", "log"])
def test_native_size_on_other_scales(scale):
    decibels = decibels_of(draw(tone(4000), resize=False, scale=scale))

    assert decibels.shape == (257, (RATE - 256) // 256)
    assert decibels.max() == pytest.approx(loudest_power_in_scipy(tone(4000)), abs=0.5)


@given(
    rate=st.sampled_from([8000, 22050, 48000]),
    samples=st.integers(64, 6000),
    window=st.integers(2, 64),
    overlap=st.floats(0, 0.9),
    scale=st.sampled_from(SCALES),
    width=st.integers(1, 300),
    height=st.integers(1, 300),
)
def test_any_settings_give_a_picture_of_their_size_within_the_levels_of_the_sound(
    rate, samples, window, overlap, scale, width, height
):
    sound = noise(samples)[:, 0]

    picture = draw(
        sound,
        rate,
        window_samples=window,
        overlap_fraction=overlap,
        scale=scale,
        width_pixels=width,
        height_pixels=height,
        decibel_range=(-200.0, 50.0),
    )

    decibels = decibels_of(picture)
    _, _, power = scipy.signal.spectrogram(
        sound.astype(float), rate, "hann", window, int(overlap * window), detrend=False
    )
    assert decibels.shape == (height, width)
    assert decibels.max() <= 10 * np.log10(power.max()) + 1
    assert decibels.min() >= 10 * np.log10(max(power.min(), 1e-20)) - 1


def test_auto_range_comes_from_the_sound_and_not_from_the_padding():
    sound = noise(RATE)[:, 0]
    padded = np.concatenate([np.zeros(RATE // 2, np.float32), sound])

    low, high = draw(padded, decibel_range="auto").decibel_range

    assert -80 < low < -55
    assert -70 < high < -40
    assert high - low >= 10
    assert draw(np.zeros(RATE, np.float32), decibel_range="auto").decibel_range == (-80, -20)


@pytest.mark.parametrize("colormap", ["greys", "greys_r", "viridis", "magma", "inferno", "plasma", "turbo"])
def test_colours_come_from_the_palette(colormap):
    picture = draw(tone(4000), colormap=colormap)

    with Image.open(io.BytesIO(picture.png)) as image:
        levels, colours = np.asarray(image), np.asarray(image.convert("RGB"))
    table = np.frombuffer(palette(colormap), np.uint8).reshape(256, 3)
    assert np.array_equal(colours, table[levels])


def test_loud_is_dark_in_greys():
    grey = {}
    for colormap in ("greys", "greys_r"):
        picture = draw(tone(4000), colormap=colormap, decibel_range=(-80, -30))
        with Image.open(io.BytesIO(picture.png)) as image:
            grey[colormap] = np.asarray(image.convert("L")).astype(int)

    assert grey["greys"][168, 100] < 20
    assert grey["greys"][20, 100] == 255
    assert grey["greys_r"][20, 100] == 0


@pytest.mark.ml
@pytest.mark.skipif(not ML_PYTHON.exists(), reason="needs .ml, which holds matplotlib")
def test_the_tables_are_matplotlibs():
    names = {"greys": "Greys", "greys_r": "Greys_r"} | {
        n: n for n in ("viridis", "magma", "inferno", "plasma", "turbo")
    }
    script = (
        "import json, sys, matplotlib\n"
        "names = json.loads(sys.argv[1])\n"
        "print(json.dumps({name: matplotlib.colormaps[theirs](list(range(256)), bytes=True)[:, :3].tolist()"
        " for name, theirs in names.items()}))"
    )

    answer = subprocess.run([ML_PYTHON, "-c", script, json.dumps(names)], capture_output=True, text=True, check=True)

    for name, table in json.loads(answer.stdout).items():
        assert list(palette(name)) == [value for colour in table for value in colour], name


@pytest.mark.parametrize("scale", SCALES)
def test_the_reference_line_lies_at_its_frequency(scale):
    plain, lined = (draw(noise(RATE)[:, 0], scale=scale, reference_frequency_hz=hertz) for hertz in (None, 5000.0))

    changed = np.flatnonzero(np.any(decibels_of(plain) != decibels_of(lined), axis=1))
    (row,) = changed
    low, high = lined.frequency_range_hz
    assert row + 0.5 == pytest.approx(row_of(5000, scale, low, high, 224), abs=0.51)


def test_a_reference_line_outside_the_picture_is_not_drawn():
    plain, lined = (
        draw(tone(4000), frequency_range_hz=(3000.0, 6000.0), reference_frequency_hz=hertz) for hertz in (None, 100.0)
    )

    assert plain.png == lined.png


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"frequency_range_hz": (0.0, 16001.0)}, "frequencyRangeHz"),
        ({"frequency_range_hz": (5000.0, 5000.0)}, "frequencyRangeHz"),
        ({"decibel_range": (-20.0, -80.0)}, "decibelRange"),
        ({"window_samples": 65536}, "windowSamples"),
        ({"window_samples": 512, "fft_samples": 100}, "fftSamples"),
        ({"resize": False, "window_samples": 16000, "overlap_fraction": 0.999, "fft_samples": 65536}, "resize"),
    ],
)
def test_settings_that_do_not_fit(settings, field):
    with pytest.raises(InvalidParams, match=rf"\$\.spectrogram\.{field}: "):
        draw(tone(4000, seconds=2), **settings)
