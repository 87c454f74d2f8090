"""env/setup from a URL, against a server on this machine that misbehaves as real ones do."""

from __future__ import annotations

import hashlib
import http.server
import random
import re
import threading
from collections.abc import Iterator

import pytest

from rpc.cancel import CancelToken
from rpc.errors import ArchiveInvalid, DownloadFailed, InvalidParams, RequestCancelled
from sidecar.environment import download, transfer
from sidecar.environment.order import How
from sidecar.environment.places import Places
from sidecar.environment.setup import set_up_from_url
from tests.sidecar.environment import tiny


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` by path. `breaks`: after how many bytes each of the next answers breaks off."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.breaks: list[int] = []
        self.etag: str | None = '"one"'
        self.knows_ranges = True
        self.says_size = True
        self.kind = "application/gzip"
        self.failures: list[int] = []
        self.redirects: dict[str, str] = {}
        self.stalls = threading.Event()
        self.stalling = False
        self.asked: list[tuple[str, str | None]] = []

    def url(self, path: str = "/env.tar.gz") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        if self.path in self.server.redirects:
            self._head(302, Location=self.server.redirects[self.path])
        elif self.path not in self.server.files:
            self._head(404)
        elif self.server.failures and self.path == "/env.tar.gz":
            self._head(self.server.failures.pop(0))
        else:
            self._serve(self.server.files[self.path], wanted)

    def _serve(self, content: bytes, wanted: str | None) -> None:
        start, headers = 0, {"Content-Type": self.server.kind}
        if self.server.etag:
            headers["ETag"] = self.server.etag
        fits = self.headers.get("If-Range") in (None, self.server.etag)
        found = re.fullmatch(r"bytes=(\d+)-", wanted or "")
        if found and self.server.knows_ranges and fits:
            start = int(found.group(1))
            if start >= len(content):
                self._head(416)
                return
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if self.server.says_size:
            headers["Content-Length"] = str(len(content) - start)
        self._head(206 if start else 200, **headers)
        is_archive = self.path == "/env.tar.gz"
        size = self.server.breaks.pop(0) if self.server.breaks and is_archive else len(content)
        self.wfile.write(content[start : start + size])
        if self.server.stalling and is_archive:
            self.wfile.flush()
            self.server.stalls.wait(60)

    def _head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


@pytest.fixture
def server(machine, monkeypatch) -> Iterator[Server]:
    monkeypatch.setattr(download, "_PAUSE_SECONDS", 0.01)
    server = Server()
    noise = tiny.file("lib/noise", random.Random(1).randbytes(2_000_000))
    server.files["/env.tar.gz"] = machine.archive(tiny.environment(extra=[noise])).read_bytes()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.stalls.set()
    server.shutdown()
    thread.join()
    server.server_close()


def publish_sum(server: Server, content: bytes | None = None) -> None:
    digest = hashlib.sha256(content or server.files["/env.tar.gz"]).hexdigest()
    server.files["/env.tar.gz.sha256"] = f"{digest}  env.tar.gz\n".encode()


def fetch(machine, server, **options):
    options = {"token": CancelToken(), "on_progress": machine._tell} | options
    return set_up_from_url(machine.folder, options.pop("url", server.url()), How(**options))


def ranges(server: Server) -> list[str | None]:
    return [wanted for path, wanted in server.asked if path == "/env.tar.gz"]


def beside(machine) -> list[str]:
    return sorted(path.name for path in machine.folder.parent.iterdir())


def test_it_is_downloaded_verified_and_set_up(machine, server):
    publish_sum(server)

    environment = fetch(machine, server)

    assert environment.status == "ready"
    assert beside(machine) == ["environment"]
    size = len(server.files["/env.tar.gz"])
    assert ("downloading the archive", size, size) in machine.told
    assert "checking the archive's sum" in machine.doings()


def test_without_any_sum_it_says_so(machine, server):
    assert fetch(machine, server).status == "ready"

    assert "no sum is published for this archive: it cannot be verified" in machine.doings()


def test_a_sum_that_is_given_counts_and_none_is_asked_for(machine, server):
    with pytest.raises(ArchiveInvalid, match=r"env\.tar\.gz is not a usable.* its SHA-256 is"):
        fetch(machine, server, sha256="0" * 64)

    assert [path for path, _ in server.asked] == ["/env.tar.gz"]
    assert beside(machine) == []


def test_a_published_sum_that_does_not_fit_is_an_error(machine, server):
    publish_sum(server, b"another file")

    with pytest.raises(ArchiveInvalid, match="its SHA-256 is"):
        fetch(machine, server)

    assert beside(machine) == []


def test_after_a_broken_connection_it_goes_on_where_it_was(machine, server):
    publish_sum(server)
    server.breaks = [500_000, 500_000, 700_000]

    assert fetch(machine, server).status == "ready"

    assert ranges(server) == [None, "bytes=500000-", "bytes=1000000-", "bytes=1700000-"]


@pytest.mark.parametrize("change", ["no ranges", "no validator", "another file"])
def test_where_it_cannot_go_on_it_starts_anew(machine, server, change):
    server.breaks = [500_000]
    server.knows_ranges = change != "no ranges"
    server.etag = None if change == "no validator" else '"one"'

    def change_the_file(doing: str, _done: int, _total: int) -> None:
        if change == "another file" and doing.startswith("the connection broke"):
            server.etag = '"two"'

    environment = fetch(machine, server, on_progress=change_the_file)

    assert environment.status == "ready"
    assert ranges(server) == [None, None if change == "no validator" else "bytes=500000-"]


def test_a_later_call_goes_on_with_what_an_earlier_one_had(machine, server):
    # Arrange
    publish_sum(server)
    server.breaks = [800_000, 0, 0, 0, 0]
    with pytest.raises(DownloadFailed, match="broke again and again"):
        fetch(machine, server)
    assert ".environment.download" in beside(machine)
    server.asked.clear()

    # Act
    environment = fetch(machine, server)

    # Assert
    assert environment.status == "ready"
    assert ranges(server) == ["bytes=800000-"]
    assert beside(machine) == ["environment"]


def test_what_was_whole_already_is_not_fetched_again(machine, server):
    """Killed between the download and the environment."""
    publish_sum(server)
    download.Download(server.url(), Places(machine.folder).download, CancelToken(), machine._tell).fetch()
    server.asked.clear()

    assert fetch(machine, server).status == "ready"
    assert ranges(server) == [f"bytes={len(server.files['/env.tar.gz'])}-"]


def test_what_was_fetched_of_another_address_is_of_no_use(machine, server):
    download.Download(server.url(), Places(machine.folder).download, CancelToken(), machine._tell).fetch()
    server.files["/other.tar.gz"] = server.files["/env.tar.gz"]
    server.asked.clear()

    assert fetch(machine, server, url=server.url("/other.tar.gz")).status == "ready"
    assert ("/other.tar.gz", None) in server.asked


def test_a_server_that_is_busy_for_a_moment_is_asked_again(machine, server):
    server.failures = [503, 429, 500]

    assert fetch(machine, server).status == "ready"


def test_without_a_size_the_end_is_the_end(machine, server):
    server.says_size = False

    assert fetch(machine, server).status == "ready"


def test_without_a_size_a_cut_archive_is_still_noticed(machine, server):
    server.says_size, server.breaks = False, [1_000_000]

    with pytest.raises(ArchiveInvalid, match="cut short"):
        fetch(machine, server)

    assert beside(machine) == []


def test_an_address_that_is_not_there(machine, server):
    with pytest.raises(DownloadFailed, match="the server answers 404"):
        fetch(machine, server, url=server.url("/nowhere.tar.gz"))

    assert beside(machine) == []


def test_a_web_page_is_not_taken_for_an_archive(machine, server):
    server.kind = "text/html; charset=utf-8"

    with pytest.raises(DownloadFailed, match="is a web page"):
        fetch(machine, server)


def test_a_server_that_is_not_there(machine, server):
    server.shutdown()
    server.server_close()

    with pytest.raises(DownloadFailed, match=r"127\.0\.0\.1 cannot be reached"):
        fetch(machine, server)


def test_a_server_that_stalls_is_given_up(machine, server, monkeypatch):
    monkeypatch.setattr(transfer, "STALL_SECONDS", 0.2)
    server.stalling, server.breaks = True, [100_000] + [0] * 10

    with pytest.raises(DownloadFailed, match="nothing came for"):
        fetch(machine, server)


@pytest.mark.parametrize("moment", ["looking for the archive's sum", "downloading the archive"])
def test_a_cancel_is_answered_though_the_server_stalls(machine, server, moment):
    server.stalling, server.breaks = True, [100_000]
    token = CancelToken()

    def cancel(doing: str, _done: int, _total: int) -> None:
        if doing == moment:
            token.cancel()

    with pytest.raises(RequestCancelled):
        fetch(machine, server, token=token, on_progress=cancel)

    assert beside(machine) == []


def test_the_same_address_again_downloads_nothing(machine, server):
    publish_sum(server)
    fetch(machine, server)
    server.asked.clear()

    assert fetch(machine, server).status == "ready"
    assert ranges(server) == []


def test_a_new_archive_at_the_same_address_is_noticed_by_its_sum(machine, server):
    publish_sum(server)
    fetch(machine, server)
    newer = machine.archive(tiny.environment(tiny.fake_python(version="3.12.1")), name="newer.tar.gz")
    server.files["/env.tar.gz"] = newer.read_bytes()
    server.etag = '"two"'
    publish_sum(server)

    assert fetch(machine, server).python_version == "3.12.1"


def test_redirects_are_followed(machine, server):
    server.redirects["/latest"] = server.url()

    assert fetch(machine, server, url=server.url("/latest")).status == "ready"


@pytest.mark.parametrize("target", ["http://example.org/env.tar.gz", "file:///etc/passwd", "ftp://example.org/x"])
def test_a_redirect_to_an_unsafe_address_is_not(machine, server, target):
    server.redirects["/latest"] = target

    with pytest.raises(DownloadFailed, match=r"not safe|cannot be downloaded"):
        fetch(machine, server, url=server.url("/latest"))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/env.tar.gz",
        "file:///etc/passwd",
        "ftp://example.org/x",
        "env.tar.gz",
        "https://",
        "http://[",
        "",
    ],
)
def test_only_safe_addresses_are_used(machine, server, url):
    with pytest.raises(InvalidParams, match=r"\$\.url"):
        fetch(machine, server, url=url)


@pytest.mark.parametrize(
    "url", ["https://example.org/e.tar.gz", "http://localhost:8000/e.tar.gz", "http://127.0.0.5/e", "http://[::1]/e"]
)
def test_safe_addresses(url):
    transfer.refuse_url(url)
