"""What is known of a recording, without reading its sound.

What lives here: the result of audio/info. What must not: clips.
"""

from __future__ import annotations

from rpc.cancel import CancelToken
from schemas.audio import InfoParams, RecordingInfo
from survey.metadata import read_metadata
from survey.paths import path_from_wire, path_to_wire
from survey.recordings import open_recording


def describe_recording(params: InfoParams, token: CancelToken) -> RecordingInfo:
    """Format, length, and when and where the recording was made. Raises as `open_recording`."""
    with open_recording(path_from_wire(params.path), token) as recording:
        metadata = read_metadata(recording)
        return RecordingInfo(
            path=path_to_wire(recording.path),
            duration_seconds=recording.duration_seconds,
            sample_rate=recording.sample_rate,
            channels=recording.channels,
            frames=recording.frames,
            format=recording.format,
            subtype=recording.subtype,
            size_bytes=recording.size_bytes,
            recorded_at=metadata.recorded_at.isoformat() if metadata.recorded_at else None,
            time_source=metadata.time_source,
            device=metadata.device,
            latitude=metadata.latitude,
            longitude=metadata.longitude,
            gain_db=metadata.gain_db,
            temperature_c=metadata.temperature_c,
            comment=metadata.comment,
        )
