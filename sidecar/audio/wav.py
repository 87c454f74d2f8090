"""Samples as a WAV file in memory.

What lives here: 16-bit PCM encoding. What must not: decoding; survey/recordings.py reads.
"""

from __future__ import annotations

import io
import wave

import numpy as np
from numpy.typing import NDArray


def encode_wav(samples: NDArray[np.float32], rate: int) -> bytes:
    """Mono `samples`, shape [samples], as a 16-bit WAV at `rate` Hz.

    NOTE: a sample becomes the nearest multiple of 2^-15. What was read from a 16-bit recording comes out unchanged; a
    sample of exactly +1 becomes 32767.
    """
    scaled = np.rint(samples * np.float32(32768.0))
    pcm = np.clip(scaled, -32768.0, 32767.0).astype("<i2")
    content = io.BytesIO()
    with wave.open(content, "wb") as writer:
        writer.setparams((1, 2, rate, len(pcm), "NONE", ""))
        writer.writeframesraw(pcm.data)
    return content.getvalue()
