"""ledger.jsonl: what became of each recording of a job, one JSON line per event, oldest first.

What lives here: the events, appending them, reading them back. What must not: scores, or what follows from an event
(crashes.py, job_report.py). The parts are the truth about scores (parts.py); the ledger adds what they cannot know:
that a recording was begun, was in hand at a crash, or failed.

A crash may leave half a line at the end. It is passed over, and the next event starts on a line of its own.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from rpc.decoders import decoder_for
from rpc.errors import from_os_error


class Stamp(msgspec.Struct, frozen=True, rename="camel"):
    """A recording as it was when it was scored: its path as text, size in bytes, mtime in ns since 1970."""

    file: str
    size: int
    mtime_ns: int


class Event(msgspec.Struct, kw_only=True, frozen=True, rename="camel", tag_field="event"):
    """The base of the events. `at` is ISO 8601 in UTC."""

    recording: Stamp
    at: str = ""


class Started(Event, frozen=True, tag="started"):
    """The recording is about to be opened: from now on it may be what ends the process."""


class Scored(Event, frozen=True, tag="scored"):
    """Every clip has been through the model; the last of them wait for their part."""


Ending = Literal["fault", "kill"]
"""How a process ended: by a fault of its own (a segfault, memory used up), or by SIGKILL, which comes from the
system where memory runs out, and from people; a worker that is told to end (SIGTERM) ends its group with it too."""


class Crashed(Event, frozen=True, tag="crashed"):
    """The process that scored ended, `by` what, while it had the recording in hand."""

    by: Ending = "fault"


class Done(Event, frozen=True, tag="done"):
    """Every clip of the recording is in closed parts; `unreadable` of them could not be read, as `message` tells."""

    clips: int
    audio_seconds: float
    unreadable: int = 0
    message: str = ""


class Failed(Event, frozen=True, tag="failed"):
    """The recording could not be scored at all."""

    code: int
    message: str


AnyEvent = Started | Scored | Crashed | Done | Failed


class Ledger:
    """The ledger at `path`. Thread-safe.

    Raises
    ------
    rpc.errors.DiskFull, rpc.errors.PermissionRefused, rpc.errors.RequestFailed
        From every method, when the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._torn = False
        self._writing = threading.Lock()

    def read(self) -> list[AnyEvent]:
        """Every whole event, oldest first; none when there is no ledger yet."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise from_os_error(error, self.path, "read") from error
        self._torn = not content.endswith(b"\n") and bool(content)
        return [event for line in content.split(b"\n") if (event := _decode(line)) is not None]

    def append(self, *events: AnyEvent, durable: bool = True) -> None:
        """Add events; with `durable` wait until they are on the disk, and not only with the operating system."""
        if not events:
            return
        lines = b"".join(msgspec.json.encode(_stamped(event)) + b"\n" for event in events)
        with self._writing:
            self._write(lines, durable=durable)

    def _write(self, lines: bytes, *, durable: bool) -> None:
        try:
            with self.path.open("ab") as stream:
                stream.write((b"\n" if self._torn else b"") + lines)
                stream.flush()
                if durable:
                    os.fsync(stream.fileno())
        except OSError as error:
            # What was written of it, if anything, is half a line.
            self._torn = True
            raise from_os_error(error, self.path, "write") from error
        self._torn = False


def last_events(events: Iterable[AnyEvent]) -> dict[str, AnyEvent]:
    """The last event of each recording, by its path."""
    return {event.recording.file: event for event in events}


def moment(text: str | None) -> datetime:
    """A time as it stands in job.json or the ledger; what is none is the beginning of time."""
    try:
        parsed = datetime.fromisoformat(text or "")
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _decode(line: bytes) -> AnyEvent | None:
    try:
        event: AnyEvent = decoder_for(AnyEvent).decode(line)
    except msgspec.DecodeError:
        return None
    return event


def _stamped(event: AnyEvent) -> AnyEvent:
    if event.at:
        return event
    return msgspec.structs.replace(event, at=datetime.now(UTC).isoformat(timespec="milliseconds"))
