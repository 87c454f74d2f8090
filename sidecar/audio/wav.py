"""Samples as a WAV file in memory.

What lives here: 16-bit PCM encoding. What must not: decoding; survey/recordings.py reads.

Source: RIFF and WAVE in "Multimedia Programming Interface and Data Specifications 1.0" (IBM, Microsoft, 1991).
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

_PCM, _MONO, _BYTES = 1, 1, 2
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


def encode_wav(samples: NDArray[np.float32], rate: int) -> bytes:
    """Mono `samples`, shape [samples], as a 16-bit WAV at `rate` Hz.

    NOTE: a sample becomes the nearest multiple of 2^-15. What was read from a 16-bit recording comes out unchanged; a
    sample of exactly +1 becomes 32767.
    """
    scaled = samples * np.float32(32768.0)
    np.rint(scaled, out=scaled)
    np.maximum(scaled, -32768.0, out=scaled)
    pcm = np.minimum(scaled, 32767.0, out=scaled).astype("<i2")
    header = _HEADER.pack(
        *(b"RIFF", _HEADER.size - 8 + pcm.nbytes, b"WAVE"),
        *(b"fmt ", 16, _PCM, _MONO, rate, rate * _BYTES, _BYTES, 8 * _BYTES),
        *(b"data", pcm.nbytes),
    )
    return b"".join([header, pcm.data])
