"""Fetching an archive: with progress, going on after a broken connection, never for ever.

What lives here: what is done about one URL until its file is whole. What must not: HTTP (transfer.py), extracting.

What was fetched is kept beside the environment's folder until the environment is ready, with a note of what it is part
of, so that a later call goes on where this one had to stop. A cancel removes it.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from rpc.cancel import CancelToken
from rpc.errors import DiskFull, DownloadFailed, from_os_error
from sidecar.environment.preflight import growth_of
from sidecar.environment.progress import OnProgress
from sidecar.environment.transfer import Answer, Broken, Transfer, fetch_text, refuse_url
from survey.atomic import write_bytes

# After this many broken connections without a single new byte it gives up.
_FRUITLESS_ATTEMPTS = 4
_PAUSE_SECONDS = 1.0


class _Note(msgspec.Struct, frozen=True):
    """What the bytes fetched so far are part of. `validator` is the server's ETag or Last-Modified."""

    url: str
    validator: str
    size: int | None


class Download:
    """The file that a URL is fetched into, `path`, and the note beside it."""

    def __init__(self, url: str, path: Path, token: CancelToken, on_progress: OnProgress) -> None:
        refuse_url(url)
        self.url, self.path = url, path
        self._note_path = path.with_name(path.name + ".json")
        self._token, self._on_progress = token, on_progress

    def fetch(self) -> Path:
        """Fetch what is not there yet, and give the path.

        Raises
        ------
        DownloadFailed
            The address cannot be used, or the connection broke again and again. What was fetched is kept.
        RequestCancelled, DiskFull, PermissionRefused
            Nothing is kept.
        """
        try:
            self._fetch()
        except DownloadFailed:
            raise
        except OSError as error:
            self.discard()
            raise from_os_error(error, self.path, "write") from error
        except BaseException:
            self.discard()
            raise
        return self.path

    def discard(self) -> None:
        """Remove what was fetched."""
        self.path.unlink(missing_ok=True)
        self._note_path.unlink(missing_ok=True)

    def _fetch(self) -> None:
        fruitless = 0
        while True:
            before = self._size()
            try:
                self._attempt(before)
            except Broken as error:
                fruitless = 0 if self._size() > before else fruitless + 1
                if fruitless >= _FRUITLESS_ATTEMPTS:
                    raise self._gave_up(error) from error
                self._on_progress("the connection broke, trying again", self._size(), 0)
                self._token.wait(_PAUSE_SECONDS * fruitless)
                self._token.raise_if_cancelled()
            else:
                return

    def _attempt(self, there: int) -> None:
        """One connection; it ends well when all is there.

        Raises
        ------
        Broken
            What has come is kept; the next attempt goes on behind it.
        """
        note = self._read_note()
        start, validator = (there, note.validator) if note is not None and note.validator else (0, "")
        with Transfer(self.url, start, validator, self._token) as transfer:
            answer = transfer.answer()
            if answer.nothing_more:
                self._settle_nothing_more(start, note)
                return
            if answer.start == 0:
                self.discard()
            self._refuse_full_disk(answer)
            write_bytes(self._note_path, msgspec.json.encode(_Note(self.url, answer.validator, answer.size)))
            self._receive(transfer, answer)

    def _receive(self, transfer: Transfer, answer: Answer) -> None:
        with self.path.open("ab", buffering=0) as stream:
            transfer.receive(stream)
            while not transfer.wait():
                self._tell(transfer, answer)
        self._tell(transfer, answer)
        if answer.size is not None and self._size() < answer.size:
            raise Broken("it ended early")

    def _tell(self, transfer: Transfer, answer: Answer) -> None:
        self._on_progress("downloading the archive", answer.start + transfer.received, answer.size or 0)

    def _settle_nothing_more(self, start: int, note: _Note | None) -> None:
        """The server has no bytes behind those that are there: all came before, or they are of something else."""
        if note is not None and note.size == start:
            return
        self.discard()
        raise Broken("what was downloaded before does not fit the file any more")

    def _gave_up(self, error: Broken) -> DownloadFailed:
        host = urlsplit(self.url).hostname
        if self._size():
            message = f"The connection to {host} broke again and again ({error})."
            return DownloadFailed(message, path=self.url, hint="Try again later: what was downloaded so far is kept.")
        return DownloadFailed(
            f"{host} cannot be reached ({error}).", path=self.url, hint="Check the address and the network."
        )

    def _refuse_full_disk(self, answer: Answer) -> None:
        free = shutil.disk_usage(self.path.parent).free
        needed = int((answer.size or 0) * (1 + growth_of(urlsplit(self.url).path))) - answer.start
        if free < needed:
            raise DiskFull(
                f"The archive and the environment need {needed / 1e9:.1f} GB, and {self.path.parent} has "
                f"{free / 1e9:.1f} GB free.",
                path=self.path.parent,
                hint="Free some space, or choose a folder on another disk.",
            )

    def _read_note(self) -> _Note | None:
        """What is known of the bytes that are there; None where they are not of this URL."""
        try:
            note = msgspec.json.decode(self._note_path.read_bytes(), type=_Note)
        except (OSError, msgspec.DecodeError):
            return None
        return note if note.url == self.url else None

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0


def published_sum(url: str, token: CancelToken) -> str | None:
    """The SHA-256 that lies beside the URL, as `sha256sum` writes it; None where there is none.

    Raises
    ------
    RequestCancelled
    """
    text = fetch_text(f"{url}.sha256", token)
    found = re.match(r"\s*\\?([0-9a-fA-F]{64})\b", text or "")
    return found.group(1).lower() if found else None
