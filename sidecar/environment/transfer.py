"""One HTTP transfer, on a thread of its own, so that a server which says nothing holds up nobody.

What lives here: requests, redirects, ranges, certificates. What must not: what to do when one fails (download.py).
"""

from __future__ import annotations

import http.client
import ipaddress
import logging
import re
import ssl
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from rpc.cancel import CancelToken
from rpc.errors import DownloadFailed, InvalidParams

log = logging.getLogger(__name__)

STALL_SECONDS = 30.0
_CHUNK_BYTES = 256 * 1024
_TEXT_BYTES = 4096
_POLL_SECONDS = 0.1
_BROKEN = (OSError, http.client.HTTPException)
_PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_PAGES = ("text/html", "application/xhtml+xml")
# Where the systems keep their certificates; a frozen OpenSSL only knows where its builder's system does.
_CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


class Broken(Exception):
    """The connection broke, or the server is not able just now; the message says how."""


def refuse_url(url: str) -> None:
    """Only https; http only from this very machine, which is for tests.

    Raises
    ------
    InvalidParams
    """
    try:
        parts = urlsplit(url)
        secure = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))
        usable = secure and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise InvalidParams(f"$.url: {url} is no https address")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says before the bytes: which they are of how many, and how it will know them again.

    `start` is 0 where it sends all anew; `size` is of the whole file in bytes, None where it does not say;
    `nothing_more`: it has no bytes from there on.
    """

    start: int
    size: int | None
    validator: str
    nothing_more: bool = False


class Transfer:
    """What a URL holds from byte `start` on, if it is still what `validator` names. Use as a context manager.

    Ask `answer`, then `receive` into a file and `wait`.
    """

    def __init__(self, url: str, start: int, validator: str, token: CancelToken) -> None:
        self.received = 0
        self._url, self._start, self._validator, self._token = url, start, validator, token
        self._answer: Answer | None = None
        self._problem: Exception | None = None
        self._into: BinaryIO | None = None
        self._answered, self._decided, self._ended = threading.Event(), threading.Event(), threading.Event()

    def __enter__(self) -> Transfer:
        threading.Thread(target=self._work, name="download", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._into = None
        self._decided.set()

    def answer(self) -> Answer:
        """What the server says.

        Raises
        ------
        DownloadFailed
            It says that there is no such archive.
        Broken
            It says nothing.
        RequestCancelled
        """
        while not self._answered.wait(_POLL_SECONDS):
            self._token.raise_if_cancelled()
        if self._answer is None:
            raise self._problem or Broken("it ended early")
        return self._answer

    def receive(self, into: BinaryIO) -> None:
        """Let the bytes come."""
        self._into = into
        self._decided.set()

    def wait(self) -> bool:
        """Wait a moment for the end; whether it has come.

        Raises
        ------
        Broken
            The connection broke.
        RequestCancelled
        OSError
            The file cannot be written.
        """
        self._token.raise_if_cancelled()
        ended = self._ended.wait(_POLL_SECONDS)
        if ended and self._problem is not None:
            raise self._problem
        return ended

    def _work(self) -> None:
        try:
            with closing(self._open()) as response:
                self._answer = self._judge(response)
                self._answered.set()
                self._decided.wait()
                self._copy(response)
        except Exception as error:  # noqa: BLE001 - the waiting thread raises it
            self._problem = error
        finally:
            self._answered.set()
            self._ended.set()

    def _open(self) -> Any:
        headers = {"Accept-Encoding": "identity", "User-Agent": "dipper-sidecar"}
        if self._start:
            headers |= {"Range": f"bytes={self._start}-", "If-Range": self._validator}
        try:
            return _open(urllib.request.Request(self._url, headers=headers), STALL_SECONDS)
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return error
            if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR or error.code in _PASSING:
                raise Broken(f"{error.code} {error.reason}") from error
            raise DownloadFailed(
                f"{self._url} cannot be downloaded: the server answers {error.code} {error.reason}.",
                path=self._url,
                hint="Check the address.",
            ) from error
        except _BROKEN as error:
            if isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
                raise DownloadFailed(
                    f"{urlsplit(self._url).hostname} cannot prove that it is the server asked for.",
                    path=self._url,
                    hint="Check the computer's clock and the network: a proxy may be in the way.",
                ) from error
            raise Broken(_reason(error)) from error

    def _judge(self, response: Any) -> Answer:
        """What the headers promise."""
        headers, validator = response.headers, _validator(response.headers)
        if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return Answer(self._start, None, validator, nothing_more=True)
        if headers.get_content_type() in _PAGES:
            raise DownloadFailed(
                f"{self._url} is a web page, not an archive.",
                path=self._url,
                hint="Copy the address of the file itself.",
            )
        length = headers.get("Content-Length") or ""
        size = int(length) if length.isdigit() else None
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            found = re.match(r"bytes (\d+)-\d+/(\d+)", headers.get("Content-Range") or "")
            if found is None or int(found.group(1)) != self._start:
                raise Broken("it sent another part than was asked for")
            return Answer(self._start, int(found.group(2)), validator)
        return Answer(0, size, validator)

    def _copy(self, response: Any) -> None:
        while self._into is not None:
            try:
                chunk = response.read1(_CHUNK_BYTES)
            except _BROKEN as error:
                raise Broken(_reason(error)) from error
            into = self._into
            if not chunk or into is None:
                return
            into.write(chunk)
            self.received += len(chunk)


def fetch_text(url: str, token: CancelToken) -> str | None:
    """A small text file; None where there is none, or none in time.

    Raises
    ------
    RequestCancelled
    """
    answer: list[str] = []
    ended = threading.Event()

    def work() -> None:
        try:
            with closing(_open(urllib.request.Request(url), STALL_SECONDS / 3)) as response:
                answer.append(response.read(_TEXT_BYTES).decode("utf-8", "replace"))
        except (*_BROKEN, DownloadFailed) as error:
            log.info("%s: %s", url, error)
        finally:
            ended.set()

    threading.Thread(target=work, name="fetch text", daemon=True).start()
    deadline = time.monotonic() + STALL_SECONDS
    while not ended.wait(_POLL_SECONDS) and time.monotonic() < deadline:
        token.raise_if_cancelled()
    return answer[0] if answer else None


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows only to where the first address might have pointed."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        try:
            refuse_url(newurl)
        except InvalidParams as error:
            raise DownloadFailed(f"{req.full_url} leads to an address that is not safe: {newurl}.") from error
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(request: urllib.request.Request, timeout: float) -> Any:
    secure = urllib.request.HTTPSHandler(context=_context())
    return urllib.request.build_opener(secure, _SafeRedirects()).open(request, timeout=timeout)


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not context.get_ca_certs():
        for path in _CERTIFICATES:
            if Path(path).is_file():
                context.load_verify_locations(path)
                break
    return context


def _validator(headers: Any) -> str:
    """What names this very state of the file: a strong ETag, else the time of its last change."""
    etag: str = headers.get("ETag") or ""
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified") or ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reason(error: BaseException) -> str:
    inner = getattr(error, "reason", error)
    if isinstance(inner, TimeoutError):
        return f"nothing came for {STALL_SECONDS:.0f} seconds"
    return str(inner) or type(inner).__name__
