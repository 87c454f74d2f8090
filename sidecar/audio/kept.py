"""The sound of a clip as a file to keep: WAV or FLAC, at its own rate or expanded in time.

What lives here: that encoding. What must not: cutting and preparing clips (clips.py), where files go.

Time expansion makes ultrasound audible: the samples stay as they are and are played slower, so that a bat's call at
50 kHz, ten times expanded, is heard at 5 kHz and lasts ten times as long.
"""

from __future__ import annotations

import io

import soundfile

from rpc.cancel import CancelToken
from rpc.errors import InvalidParams
from schemas.detections import SoundFormat
from sidecar.audio.clips import RenderedClip
from sidecar.audio.wav import at_rate, pcm_of

_HIGHEST_FLAC_HZ = 655_350
_HIGHEST_ODD_FLAC_HZ = 65_535
_PIECE_SAMPLES = 1 << 20


def encode_sound(clip: RenderedClip, kind: SoundFormat, time_expansion: float, token: CancelToken) -> tuple[bytes, int]:
    """The sound of `clip`, which was rendered with it, as a file of `kind`, and the sample rate (Hz) of that file.

    NOTE: the rate divided by `time_expansion` is rounded to the nearest Hz, and is at least 1.

    Raises
    ------
    rpc.errors.InvalidParams
        FLAC cannot say this rate.
    rpc.errors.RequestCancelled
    """
    assert clip.wav is not None
    rate = max(1, round(clip.rate / time_expansion))
    if kind == "wav":
        return (clip.wav if rate == clip.rate else at_rate(clip.wav, rate)), rate
    return _flac(clip.wav, rate, token), rate


def _flac(wav: bytes, rate: int, token: CancelToken) -> bytes:
    if rate > _HIGHEST_FLAC_HZ or (rate > _HIGHEST_ODD_FLAC_HZ and rate % 10):
        raise InvalidParams(
            f"$.soundFormat: FLAC cannot hold a sample rate of {rate} Hz: it goes up to {_HIGHEST_FLAC_HZ} Hz, above "
            f"{_HIGHEST_ODD_FLAC_HZ} Hz by tens. Choose wav."
        )
    pcm, encoded = pcm_of(wav), io.BytesIO()
    with soundfile.SoundFile(encoded, "w", rate, 1, "PCM_16", format="FLAC") as file:
        for start in range(0, len(pcm), _PIECE_SAMPLES):
            token.raise_if_cancelled()
            file.write(pcm[start : start + _PIECE_SAMPLES])
    return encoded.getvalue()
