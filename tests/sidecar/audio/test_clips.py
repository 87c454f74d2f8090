"""Clips against soundfile's own reads, sample for sample."""

from __future__ import annotations

import base64
import io
import json
import math
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from rpc.cancel import CancelToken
from rpc.errors import DecodeFailed, FileMissing, InvalidParams, RequestCancelled
from schemas.audio import AudioSettings, ClipParams, FileBlob, InlineBlob, SpectrogramSettings
from sidecar.audio.batch import ClipRenderer
from sidecar.audio.blobs import BlobStore
from sidecar.audio.clips import nearest_sample
from tests.sounds import noise, tone, write_sound

RATE = 22050
FRAMES = 40_000
AS_IT_IS = AudioSettings(normalize=False)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return write_sound(tmp_path_factory.mktemp("sound") / "a.wav", noise(FRAMES), RATE, "PCM_16")


@pytest.fixture(scope="module")
def stereo(tmp_path_factory):
    return write_sound(tmp_path_factory.mktemp("sound") / "b.flac", noise(FRAMES, channels=3), RATE, "PCM_16")


@pytest.fixture
def blobs(tmp_path):
    return BlobStore(tmp_path / "blobs")


def clip_of(path, start, end, blobs=None, token=None, **options):
    request = ClipParams(path=str(path), start_seconds=start, end_seconds=end, **options)
    return ClipRenderer(blobs or BlobStore()).render(request, token or CancelToken())


def samples_of(clip):
    content = io.BytesIO(clip.audio.content)
    samples, rate = soundfile.read(content, dtype="float32")
    assert rate == clip.sample_rate
    return samples


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.integers(-3000, FRAMES + 3000), length=st.integers(1, 5000))
def test_a_clip_is_what_soundfile_reads_with_silence_around(recording, first, length):
    whole, _ = soundfile.read(recording, dtype="float32")
    expected = np.zeros(length, np.float32)
    inside = slice(max(first, 0), max(min(first + length, FRAMES), 0))
    expected[inside.start - first : inside.stop - first] = whole[inside] if inside.stop > inside.start else 0

    clip = clip_of(recording, first / RATE, (first + length) / RATE, audio=AS_IT_IS, include=("audio",))

    assert np.array_equal(samples_of(clip), expected)
    before, after = (seconds * RATE for seconds in clip.padded_seconds)
    assert round(before) == min(max(-first, 0), length)
    assert round(after) == min(max(first + length - FRAMES, 0), length)
    assert clip.duration_seconds == pytest.approx(length / RATE)


@given(seconds=st.floats(-1e5, 1e5), rate=st.sampled_from([8000, 22050, 44100, 48000, 384000]))
def test_the_nearest_sample_is_the_nearest(seconds, rate):
    exact = Fraction(seconds) * rate

    assert abs(Fraction(nearest_sample(seconds, rate)) - exact) <= Fraction(1, 2) + Fraction(1, 10**5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.floats(0, 1.8), min_size=2, max_size=6, unique_by=lambda cut: nearest_sample(cut, RATE)))
def test_neighbouring_clips_neither_share_nor_lose_a_sample(recording, cuts):
    edges = sorted(cuts)

    pieces = [
        samples_of(clip_of(recording, start, end, audio=AS_IT_IS, include=("audio",))) for start, end in pairwise(edges)
    ]

    together = samples_of(clip_of(recording, edges[0], edges[-1], audio=AS_IT_IS, include=("audio",)))
    assert np.array_equal(np.concatenate(pieces), together)


def test_three_tenths_of_a_second_are_not_cut_short_by_binary_fractions(recording):
    clip = clip_of(recording, 0.1, 0.1 + 0.2, audio=AS_IT_IS, include=("audio",))

    assert len(samples_of(clip)) == 4410


def test_channels_are_mixed_down_or_picked(stereo):
    whole, _ = soundfile.read(stereo, dtype="float32")

    mixed = samples_of(clip_of(stereo, 0, 1, audio=AS_IT_IS))
    second = samples_of(clip_of(stereo, 0, 1, audio=AudioSettings(normalize=False, channel=1)))

    assert np.max(np.abs(mixed - whole[:RATE].mean(axis=1))) <= 1 / 65536 + 1e-9
    assert np.array_equal(second, whole[:RATE, 1])
    with pytest.raises(InvalidParams, match=r"\$\.audio\.channel: .*there is no channel 3"):
        clip_of(stereo, 0, 1, audio=AudioSettings(channel=3))


def test_normalising_brings_the_peak_to_full_scale(recording):
    samples = samples_of(clip_of(recording, 0.5, 1))
    raw = samples_of(clip_of(recording, 0.5, 1, audio=AS_IT_IS))

    assert np.max(np.abs(samples)) == pytest.approx(1, abs=1e-4)
    assert np.max(np.abs(samples - raw / np.max(np.abs(raw)))) < 1e-4
    assert not np.any(samples_of(clip_of(recording, -2, -1)))


def test_resampling_keeps_the_tone_and_the_duration(tmp_path):
    path = write_sound(tmp_path / "a.wav", tone(1000, RATE, 2), RATE)

    clip = clip_of(path, 0, 1.5, audio=AudioSettings(normalize=False, sample_rate=16000))

    samples = samples_of(clip)
    assert (clip.sample_rate, len(samples)) == (16000, 24000)
    assert np.max(np.abs(samples[500:-500] - tone(1000, 16000, 1.5)[500:-500])) < 1e-3


def test_the_spectrogram_shows_the_recording_whatever_is_done_to_the_sound(recording):
    plain, processed = (
        clip_of(recording, 0, 1, audio=audio)
        for audio in (AS_IT_IS, AudioSettings(sample_rate=8000, highpass_hz=1000.0))
    )

    assert plain.spectrogram == processed.spectrogram
    assert processed.frequency_range_hz == (0, RATE / 2)


def test_only_what_is_asked_for_is_made(recording):
    sound, picture = (clip_of(recording, 0, 1, include=include) for include in (("audio",), ("spectrogram",)))

    assert (sound.spectrogram, sound.frequency_range_hz, sound.decibel_range) == (None, None, None)
    assert picture.audio is None
    assert picture.decibel_range == (-80, -20)


def test_inline_and_file_delivery_hold_the_same(recording, blobs):
    inline, file = (clip_of(recording, 0, 1, blobs, delivery=delivery) for delivery in ("inline", "file"))

    for small, large in [(inline.spectrogram, file.spectrogram), (inline.audio, file.audio)]:
        assert isinstance(small, InlineBlob)
        assert isinstance(large, FileBlob)
        content = Path(large.path).read_bytes()
        assert content == small.content
        assert (large.bytes, large.mime) == (len(content), small.mime)


def test_in_json_the_bytes_are_base64(recording):
    clip = clip_of(recording, 0, 1)

    wire = json.loads(msgspec.json.encode(clip))

    assert wire["audio"] == {
        "kind": "inline",
        "mime": "audio/wav",
        "base64": base64.b64encode(clip.audio.content).decode(),
    }


def test_the_picture_is_a_png_of_the_size_asked_for(recording):
    clip = clip_of(recording, 0, 1, spectrogram=SpectrogramSettings(width_pixels=300, height_pixels=100))

    with Image.open(io.BytesIO(clip.spectrogram.content)) as image:
        assert (image.format, image.size) == ("PNG", (300, 100))


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (2, 1, r"\$\.endSeconds: 1 s is not after"),
        (1, 1, r"\$\.endSeconds"),
        (math.nan, 1, r"\$\.startSeconds: nan is not a time"),
        (0, math.inf, r"\$\.endSeconds: inf is not a time"),
        (0, 3601, r"\$\.endSeconds: a clip is at most 3600 s"),
        (0, 1e-6, r"\$\.endSeconds: .*no sample"),
        (1e300, 2e300, r"\$\.endSeconds"),
    ],
)
def test_impossible_times(recording, start, end, message):
    with pytest.raises(InvalidParams, match=message):
        clip_of(recording, start, end)


@pytest.mark.parametrize(
    ("audio", "field"),
    [
        (AudioSettings(highpass_hz=RATE / 2), "highpassHz"),
        (AudioSettings(lowpass_hz=20_000.0), "lowpassHz"),
        (AudioSettings(highpass_hz=5000.0, lowpass_hz=4000.0), "highpassHz"),
    ],
)
def test_impossible_filters(recording, audio, field):
    with pytest.raises(InvalidParams, match=rf"\$\.audio\.{field}: "):
        clip_of(recording, 0, 1, audio=audio)


def test_recordings_that_cannot_be_read(tmp_path):
    (tmp_path / "text.wav").write_text("no sound")

    with pytest.raises(FileMissing):
        clip_of(tmp_path / "missing.wav", 0, 1)
    with pytest.raises(DecodeFailed):
        clip_of(tmp_path / "text.wav", 0, 1)
    with pytest.raises(InvalidParams, match=r"\$\.path"):
        clip_of("a\0b.wav", 0, 1)


def test_cancelled_before_it_begins(recording):
    token = CancelToken()
    token.cancel()

    with pytest.raises(RequestCancelled):
        clip_of(recording, 0, 1, token=token)
