"""Where the clips of a recording begin and end.

What lives here: clip times, equal to those of OpenSoundscape's `generate_clip_times_df`. What must not: sound.

NOTE: every multiple of the step (clip length minus overlap) that lies before the end of the recording starts a
clip, so the last ones may reach beyond the end. A classifier hears silence there and its clips keep their full
length ("extend"); RIBBIT's last clips end with the recording ("remainder"). Starts are rounded to 10 decimals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rpc.errors import ConfigInvalid

_DECIMALS = 10


@dataclass(frozen=True, slots=True)
class ClipTimes:
    """Start and end of each clip, in seconds from the start of the recording, shape [clips] each."""

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.starts)

    def audio_seconds(self, first: int, count: int, duration_seconds: float) -> float:
        """How much of the recording the clips `first` up to `first + count` add to those before them."""
        after = first + count
        end = float(self.starts[after]) if after < len(self) else duration_seconds
        return end - float(self.starts[first])


def extended_clips(duration_seconds: float, clip_seconds: float, overlap_seconds: float) -> ClipTimes:
    """Clips of full length; the last may reach beyond the end."""
    starts = _starts(duration_seconds, clip_seconds, overlap_seconds)
    return ClipTimes(starts, starts + clip_seconds)


def clips_with_remainder(duration_seconds: float, clip_seconds: float, overlap_seconds: float) -> ClipTimes:
    """Clips that end with the recording at the latest."""
    starts = _starts(duration_seconds, clip_seconds, overlap_seconds)
    return ClipTimes(starts, np.minimum(starts + clip_seconds, duration_seconds))


def check_overlap(clip_seconds: float, overlap_seconds: float) -> None:
    """Raise ConfigInvalid unless clips of this length can overlap so far."""
    if overlap_seconds >= clip_seconds:
        raise ConfigInvalid(
            f"$.inference.clipOverlapSeconds: clips of this model are {clip_seconds:g} s long and cannot overlap by "
            f"{overlap_seconds:g} s; choose less than {clip_seconds:g}."
        )


def _starts(duration_seconds: float, clip_seconds: float, overlap_seconds: float) -> NDArray[np.float64]:
    return np.arange(0, duration_seconds, clip_seconds - overlap_seconds).round(_DECIMALS)
