"""From power to pixels: frequency scales, size, decibel range, colours, PNG.

What lives here: drawing. What must not: the Fourier transform (spectrogram.py), sound, files.

A column shows the mean power of the frames whose middles lie in its stretch of time; where there are fewer
frames than columns, decibels are interpolated between them. A row shows the loudest level within its band of the
spectrum, drawn as a line from bin to bin. So a thin whistle keeps its level however small the picture and whatever the
scale, and noise is averaged along time, as a longer recording would.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from rpc.cancel import CancelToken
from rpc.errors import InvalidParams
from schemas.audio import SpectrogramSettings
from sidecar.audio.png import encode_png
from sidecar.audio.spectrogram import Floats, Frames, plan_frames, power_blocks, to_decibels

MAX_LEVELS = 1 << 26
_DASH_PIXELS = 4
_SILENT_DECIBELS = -250.0
_QUIETEST, _LOUDEST = np.float32(0), np.float32(255)
# Up to so many frames a column, adding them one after the other is faster than reduceat, at first four times.
_FEW_FRAMES = 16

Scale = Literal["linear", "mel", "log"]


class Picture(msgspec.Struct, frozen=True):
    """A drawn spectrogram: the PNG, and what its edges (Hz) and colours (dB) stand for."""

    png: bytes
    frequency_range_hz: tuple[float, float]
    decibel_range: tuple[float, float]


def draw_spectrogram(samples: Floats, rate: int, settings: SpectrogramSettings, token: CancelToken) -> Picture:
    """Draw the spectrogram of `samples`, shape [samples] at `rate` Hz.

    Raises
    ------
    rpc.errors.InvalidParams
        A setting does not fit the clip or its sample rate.
    rpc.errors.RequestCancelled
    """
    frames = plan_frames(settings, len(samples), rate)
    band = _band(settings, frames)
    columns = _columns(samples, frames, settings, token)
    decibels = _rows(columns, frames, settings, band)
    decibel_range = _decibel_range(settings, decibels)
    levels = _levels(decibels, decibel_range)
    _draw_reference(levels, settings, band)
    return Picture(encode_png(levels, settings.colormap), band, decibel_range)


def _band(settings: SpectrogramSettings, frames: Frames) -> tuple[float, float]:
    """The frequencies of the picture's lower and upper edge, Hz."""
    nyquist = frames.rate / 2
    low, high = settings.frequency_range_hz or (0.0, nyquist)
    if not low < high:
        raise InvalidParams(f"$.spectrogram.frequencyRangeHz: {low:g} Hz is not below {high:g} Hz.")
    if high > nyquist:
        raise InvalidParams(
            f"$.spectrogram.frequencyRangeHz: {high:g} Hz is above {nyquist:g} Hz, the highest frequency "
            f"that a sample rate of {frames.rate} Hz can hold."
        )
    if settings.scale == "log":
        # A logarithm has no place for 0 Hz: begin at the lowest bin, or an octave below the top.
        low = max(low, min(frames.bin_hz, high / 2))
    return low, high


def _columns(samples: Floats, frames: Frames, settings: SpectrogramSettings, token: CancelToken) -> Floats:
    """Decibels by column, shape [columns, bins]."""
    _limit_size(frames, settings)
    blocks = power_blocks(samples, frames, settings.scaling, token)
    if settings.resize and frames.count > settings.width_pixels:
        return to_decibels(_mean_columns(blocks, frames, settings.width_pixels))
    decibels = np.concatenate([to_decibels(block) for block in blocks])
    return _stretched(decibels, frames, settings.width_pixels) if settings.resize else decibels


def _limit_size(frames: Frames, settings: SpectrogramSettings) -> None:
    columns = min(frames.count, settings.width_pixels) if settings.resize else frames.count
    if columns * frames.bins <= MAX_LEVELS:
        return
    field = "windowSamples" if settings.resize else "resize"
    raise InvalidParams(
        f"$.spectrogram.{field}: this picture needs {columns} columns of {frames.bins} frequencies each; "
        f"at most {MAX_LEVELS} levels are computed for one picture."
    )


def _mean_columns(blocks: Iterable[Floats], frames: Frames, width: int) -> Floats:
    """Mean power of the frames of each column, shape [width, bins]."""
    starts = _first_frames(frames, width)
    sums = np.zeros((width, frames.bins), np.float32)
    first = 0
    for block in blocks:
        _add_block(sums, starts, block, first)
        first += len(block)
    counts = np.diff(starts)
    sums /= np.maximum(counts, 1)[:, np.newaxis].astype(np.float32)
    return sums if np.all(counts) else sums[_nearest_filled(counts)]


def _nearest_filled(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each column the one to show: a column without a frame, for the windows are longer than it, its neighbour."""
    filled = np.maximum.accumulate(np.where(counts > 0, np.arange(len(counts)), 0))
    return np.maximum(filled, np.argmax(counts > 0))


@functools.lru_cache(maxsize=32)
def _first_frames(frames: Frames, width: int) -> NDArray[np.int64]:
    """The first frame of each column, and the end of the last, shape [width + 1]."""
    edges = np.linspace(0.0, frames.clip_samples, width + 1)
    first = np.ceil(frames.position_at(edges)).astype(np.int64)
    first[-1] = frames.count
    first = np.clip(first, 0, frames.count)
    first.flags.writeable = False
    return first


def _add_block(sums: Floats, starts: NDArray[np.int64], block: Floats, first: int) -> None:
    """Add each frame of `block`, whose first frame is `first`, to the sum of its column."""
    begin = np.minimum(np.maximum(starts - first, 0), len(block))
    counts = np.diff(begin)
    used = np.flatnonzero(counts)
    if not used.size:
        return
    added = _sums_from(block[: begin[-1]], begin[:-1][used], counts[used])
    inside = slice(int(used[0]), int(used[-1]) + 1)
    sums[inside if len(used) == inside.stop - inside.start else used] += added


def _sums_from(block: Floats, begin: NDArray[np.int64], counts: NDArray[np.int64]) -> Floats:
    """The sums of `counts` rows (one at least) of `block` from each of `begin` on, shape [len(begin), bins]."""
    most = int(counts.max())
    if most > _FEW_FRAMES:
        summed: Floats = np.add.reduceat(block, begin, axis=0)
        return summed
    sums: Floats = block.take(begin, axis=0)
    for nth in range(1, most):
        columns = np.flatnonzero(counts > nth)
        if len(columns) == len(counts):
            sums += block.take(begin + nth, axis=0)
        else:
            sums[columns] += block.take(begin[columns] + nth, axis=0)
    return sums


def _stretched(decibels: Floats, frames: Frames, width: int) -> Floats:
    """Interpolate decibels between the frames, shape [width, bins]; the first and last reach to the edges."""
    edges = np.linspace(0.0, frames.clip_samples, width + 1)
    return _between(decibels, _places(frames.position_at((edges[:-1] + edges[1:]) / 2), len(decibels)))


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Fractional rows: `weight` of the way, shape [places, 1], from row `lower` to row `upper`."""

    lower: NDArray[np.int64]
    upper: NDArray[np.int64]
    weight: Floats


def _places(position: NDArray[np.float64], length: int) -> _Places:
    """Positions in `length` rows; those beyond the ends are the ends."""
    position = np.clip(position, 0, length - 1)
    lower = position.astype(np.int64)
    return _Places(lower, np.minimum(lower + 1, length - 1), (position - lower).astype(np.float32)[:, np.newaxis])


def _between(values: Floats, places: _Places) -> Floats:
    """Rows of `values` at fractional places, linearly interpolated."""
    below = values.take(places.lower, axis=0)
    between: Floats = values.take(places.upper, axis=0)
    between -= below
    between *= places.weight
    between += below
    return between


def _rows(columns: Floats, frames: Frames, settings: SpectrogramSettings, band: tuple[float, float]) -> Floats:
    """Decibels by pixel, from the top (high) down, shape [rows, columns]."""
    if not settings.resize and settings.scale == "linear":
        bins = np.arange(frames.bins) * frames.bin_hz
        inside = (bins >= band[0]) & (bins <= band[1])
        return np.ascontiguousarray(columns[:, inside][:, ::-1].T)
    height = settings.height_pixels if settings.resize else frames.bins
    bands = _bands(settings.scale, *band, height, frames.bins, frames.bin_hz)
    return _loudest(np.ascontiguousarray(columns.T), bands)


@dataclass(frozen=True, slots=True, eq=False)
class _Bands:
    """Where the rows of a picture lie in the spectrum, from the top (high) down.

    `edges`: between the rows, in bins, [rows + 1]. `inside`: pairs of rows and of a bin within each of them, so that
    all bins of a row are in one pair or another.
    """

    edges: _Places
    inside: tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]


@functools.lru_cache(maxsize=16)
def _bands(scale: Scale, low: float, high: float, height: int, bins: int, bin_hz: float) -> _Bands:
    """The bands of `height` rows from `low` to `high` Hz in a spectrum of so many bins."""
    edges = _row_edges(scale, low, high, height) / bin_hz
    first = np.maximum(np.ceil(edges[1:]).astype(np.int64), 0)
    last = np.minimum(np.floor(edges[:-1]).astype(np.int64), bins - 1)
    counts = np.maximum(last - first + 1, 0)
    rows = [np.flatnonzero(counts > nth) for nth in range(int(counts.max(initial=0)))]
    return _Bands(_places(edges, bins), tuple((some, first[some] + nth) for nth, some in enumerate(rows)))


def _row_edges(scale: Scale, low: float, high: float, height: int) -> NDArray[np.float64]:
    """The frequencies between the rows from the top down, Hz, shape [height + 1]."""
    edges = np.asarray(from_scale(scale, np.linspace(to_scale(scale, low), to_scale(scale, high), height + 1)))
    edges[0], edges[-1] = low, high
    return edges[::-1]


def to_scale(scale: Scale, hertz: float) -> float:
    """Where `hertz` lies on the frequency axis. mel: 2595 log10(1 + f/700), O'Shaughnessy's form."""
    if scale == "mel":
        return float(2595.0 * np.log10(1.0 + hertz / 700.0))
    return float(np.log(hertz)) if scale == "log" else hertz


def from_scale(scale: Scale, place: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of `to_scale`."""
    if scale == "mel":
        mel: NDArray[np.float64] = 700.0 * (10.0 ** (place / 2595.0) - 1.0)
        return mel
    return np.exp(place) if scale == "log" else place


def _loudest(decibels: Floats, bands: _Bands) -> Floats:
    """The maximum over each band of the line from bin to bin, shape [rows, columns], from shape [bins, columns].

    The maximum of a line lies at one of the band's edges or at a bin inside it.
    """
    at_edges = _between(decibels, bands.edges)
    loudest = np.maximum(at_edges[:-1], at_edges[1:])
    for rows, bins in bands.inside:
        if len(rows) == len(loudest):
            np.maximum(loudest, decibels.take(bins, axis=0), out=loudest)
        else:
            loudest[rows] = np.maximum(loudest.take(rows, axis=0), decibels.take(bins, axis=0))
    return loudest


def _decibel_range(settings: SpectrogramSettings, decibels: Floats) -> tuple[float, float]:
    """The levels of the colormap's two ends. "auto": from the 5th percentile to the loudest pixel, 10 dB at least."""
    if settings.decibel_range != "auto":
        low, high = settings.decibel_range
        if not low < high:
            raise InvalidParams(f"$.spectrogram.decibelRange: {low:g} dB is not below {high:g} dB.")
        return low, high
    # Padding is digital silence: it says nothing about the recording.
    sounding = decibels[decibels > _SILENT_DECIBELS]
    if not sounding.size:
        return -80.0, -20.0
    high = float(sounding.max())
    return min(float(np.percentile(sounding, 5)), high - 10.0), high


def _levels(decibels: Floats, decibel_range: tuple[float, float]) -> NDArray[np.uint8]:
    low, high = decibel_range
    levels = decibels - np.float32(low)
    levels *= np.float32(255.0 / (high - low))
    levels += np.float32(0.5)
    return np.clip(levels, _QUIETEST, _LOUDEST, out=levels).astype(np.uint8)


def _draw_reference(levels: NDArray[np.uint8], settings: SpectrogramSettings, band: tuple[float, float]) -> None:
    """Draw the reference frequency, dashed in both ends of the colormap, so that it shows on any ground."""
    hertz = settings.reference_frequency_hz
    if hertz is None or not band[0] <= hertz <= band[1]:
        return
    low, high = (to_scale(settings.scale, edge) for edge in band)
    height, width = levels.shape
    row = round((high - to_scale(settings.scale, hertz)) / (high - low) * height - 0.5)
    dashes = (np.arange(width) // _DASH_PIXELS) % 2
    levels[min(max(row, 0), height - 1)] = dashes.astype(np.uint8) * 255
