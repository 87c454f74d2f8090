"""Clip times are those of OpenSoundscape, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opensoundscape.utils import generate_clip_times_df

from ml_runtime.clips import check_overlap, clips_with_remainder, extended_clips
from rpc.errors import ConfigInvalid


@given(
    frames=st.integers(1, 48000 * 100),
    rate=st.sampled_from([8000, 22050, 44100, 48000, 384000]),
    length=st.sampled_from([0.96, 1.0, 2.0, 3.0, 5.0, 10.0]),
    fraction=st.sampled_from([0.0, 0.1, 0.25, 1 / 3, 0.5, 0.9]),
)
@pytest.mark.parametrize(("ours", "final_clip"), [(extended_clips, "extend"), (clips_with_remainder, "remainder")])
def test_clip_times_are_those_of_the_reference(ours, final_clip, frames, rate, length, fraction):
    # Act
    times = ours(frames / rate, length, fraction * length)
    reference = generate_clip_times_df(frames / rate, length, overlap_fraction=fraction, final_clip=final_clip)

    # Assert
    assert np.array_equal(times.starts, reference.start_time.to_numpy())
    assert np.array_equal(times.ends, reference.end_time.to_numpy())


@given(st.floats(0.1, 1000), st.integers(0, 50))
def test_the_sound_that_clips_add_makes_up_the_recording(duration, cut):
    times = extended_clips(duration, 3.0, 1.5)
    cut = min(cut, len(times) - 1)

    first = times.audio_seconds(0, cut, duration) if cut else 0.0
    rest = times.audio_seconds(cut, len(times) - cut, duration)

    assert first + rest == pytest.approx(duration)


def test_an_overlap_as_long_as_the_clip_is_refused_with_its_place():
    check_overlap(3.0, 2.9)
    with pytest.raises(ConfigInvalid, match=r"\$\.inference\.clipOverlapSeconds"):
        check_overlap(3.0, 3.0)
