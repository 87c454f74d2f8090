"""Samples as a WAV file in memory.

What lives here: 16-bit PCM encoding, and taking apart what was encoded here. What must not: reading recordings
(survey/recordings.py).

Source: RIFF and WAVE in "Multimedia Programming Interface and Data Specifications 1.0" (IBM, Microsoft, 1991).
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

_PCM, _MONO, _BYTES = 1, 1, 2
_LEAST, _MOST = np.float32(-32768.0), np.float32(32767.0)
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


def encode_wav(samples: NDArray[np.float32], rate: int) -> bytes:
    """Mono `samples`, shape [samples], as a 16-bit WAV at `rate` Hz.

    NOTE: a sample becomes the nearest multiple of 2^-15. What was read from a 16-bit recording comes out unchanged; a
    sample of exactly +1 becomes 32767.
    """
    scaled = samples * np.float32(32768.0)
    np.rint(scaled, out=scaled)
    pcm = np.clip(scaled, _LEAST, _MOST, out=scaled).astype("<i2")
    return b"".join([_header(pcm.nbytes, rate), pcm.data])


def pcm_of(wav: bytes) -> NDArray[np.int16]:
    """The samples of a WAV that `encode_wav` gave, shape [samples]."""
    return np.frombuffer(wav, "<i2", offset=_HEADER.size)


def at_rate(wav: bytes, rate: int) -> bytes:
    """A WAV that `encode_wav` gave, to be played at `rate` Hz."""
    return b"".join([_header(len(wav) - _HEADER.size, rate), memoryview(wav)[_HEADER.size :]])


def _header(data_bytes: int, rate: int) -> bytes:
    return _HEADER.pack(
        *(b"RIFF", _HEADER.size - 8 + data_bytes, b"WAVE"),
        *(b"fmt ", 16, _PCM, _MONO, rate, rate * _BYTES, _BYTES, 8 * _BYTES),
        *(b"data", data_bytes),
    )
