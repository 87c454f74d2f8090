"""audio/*, folders/scan and cache/clear over the pipe of a real sidecar."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
from PIL import Image

from rpc import child
from rpc.cancel import CancelToken
from rpc.connection import Connection
from rpc.errors import DecodeFailed, FileMissing, InvalidParams, RequestCancelled, RpcError
from rpc.lifecycle import InitializeParams
from rpc.methods import NoParams
from schemas.audio import (
    CacheCleared,
    Clip,
    ClipParams,
    ClipRequest,
    Clips,
    ClipsParams,
    FileBlob,
    InfoParams,
    RecordingInfo,
    SpectrogramSettings,
)
from schemas.folders import Scan, ScanParams
from tests.sounds import noise, write_sound
from tools.paths import ROOT
from tools.which_sidecar import sidecar_command

RATE = 16000
PATIENCE = 60


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    folder = tmp_path_factory.mktemp("sidecar")
    command = sidecar_command("--state-folder", folder / "state", "--cache-folder", folder / "cache")
    connection = Connection(child.spawn([str(part) for part in command], cwd=ROOT))
    yield connection
    connection.close()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return write_sound(tmp_path / "20240512_053000.wav", noise(20 * RATE), RATE, "PCM_16")


def ask(server: Connection, method: str, params: Any, result: Any, **options: Any) -> Any:
    return server.call(method, params, result, **options).result(PATIENCE)


def page(recording: Path, count: int = 12, **options: Any) -> ClipsParams:
    clips = tuple(
        ClipRequest(clip_id=f"clip {n}", path=str(recording), start_seconds=float(n), end_seconds=n + 2.0)
        for n in range(count)
    )
    return ClipsParams(clips=clips, **options)


def test_info(server, recording):
    found = ask(server, "audio/info", InfoParams(path=str(recording)), RecordingInfo)

    assert (found.duration_seconds, found.sample_rate, found.recorded_at) == (20, RATE, "2024-05-12T05:30:00")
    assert found.time_source == "fileName"


def test_a_clip_is_base64_on_the_wire(server, recording):
    params = ClipParams(path=str(recording), start_seconds=1, end_seconds=3)

    wire = json.loads(bytes(ask(server, "audio/clip", params, msgspec.Raw)))

    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(wire["audio"]["base64"])), dtype="float32")
    with Image.open(io.BytesIO(base64.b64decode(wire["spectrogram"]["base64"]))) as image:
        assert image.size == (224, 224)
    assert (len(samples), rate) == (2 * RATE, RATE)
    assert ask(server, "audio/clip", params, Clip).audio.content[:4] == b"RIFF"


def test_a_page_comes_in_order(server, recording):
    answer = ask(server, "audio/clips", page(recording), Clips)

    assert [clip.clip_id for clip in answer.clips] == [f"clip {n}" for n in range(12)]
    single = ask(server, "audio/clip", ClipParams(path=str(recording), start_seconds=5, end_seconds=7), Clip)
    assert answer.clips[5].spectrogram == single.spectrogram
    assert answer.failed == 0


def test_one_bad_clip_gives_its_own_error_and_nothing_else(server, recording):
    missing = ClipRequest(clip_id="bad", path=str(recording) + "x", start_seconds=0, end_seconds=1)
    backwards = ClipRequest(path=str(recording), start_seconds=2, end_seconds=1)
    params = ClipsParams(clips=(*page(recording, 2).clips, missing, backwards))

    wire = json.loads(bytes(ask(server, "audio/clips", params, msgspec.Raw)))

    good, _, bad, impossible = wire["clips"]
    assert "error" not in good
    assert wire["failed"] == 2
    assert set(bad) == {"clipId", "error"}
    assert (bad["clipId"], bad["error"]["code"], bad["error"]["data"]["kind"]) == ("bad", 1001, "fileNotFound")
    assert impossible["error"]["message"].startswith("$.clips[3].endSeconds: ")


def test_streamed_clips_are_left_out_of_the_result(server, recording):
    rows: list[Any] = []

    def on_rows(some: list[msgspec.Raw]) -> None:
        rows.extend(json.loads(bytes(row)) for row in some)

    answer = ask(server, "audio/clips", page(recording), Clips, on_rows=on_rows)

    assert (answer.clips, answer.failed) == ((), 0)
    assert [row["clipId"] for row in rows] == [f"clip {n}" for n in range(12)]


def test_cancelling_a_page(server, recording):
    """Settings that take minutes: an FFT of 65,536 for every fourth sample."""
    slow = SpectrogramSettings(window_samples=4096, fft_samples=65536, overlap_fraction=0.999)
    token, begun = CancelToken(), threading.Event()
    future = server.call(
        "audio/clips", page(recording, 12, spectrogram=slow), Clips, token=token, on_progress=lambda _: begun.set()
    )
    assert begun.wait(PATIENCE)

    start = time.monotonic()
    token.cancel()
    with pytest.raises(RequestCancelled):
        future.result(PATIENCE)

    # Ten times what the protocol promises: the machine may be busy.
    assert time.monotonic() - start < 2


def test_after_a_cancel_no_further_clip_is_rendered(tmp_path, recording):
    """Of 2,000 quick clips, each two files: what is there soon after the cancel is all that ever comes."""
    command = sidecar_command("--state-folder", tmp_path / "s", "--cache-folder", tmp_path / "c")
    server = Connection(child.spawn([str(part) for part in command], cwd=ROOT))
    blobs, token, begun = tmp_path / "blobs", CancelToken(), threading.Event()
    clips = tuple(
        ClipRequest(path=str(recording), start_seconds=n / 1000, end_seconds=n / 1000 + 2) for n in range(2000)
    )
    try:
        ask(server, "initialize", InitializeParams(blob_folder=str(blobs)), msgspec.Raw)
        params = ClipsParams(clips=clips, delivery="file")
        future = server.call("audio/clips", params, Clips, token=token, on_rows=lambda _: begun.set())
        assert begun.wait(PATIENCE)
        token.cancel()
        with pytest.raises(RequestCancelled):
            future.result(PATIENCE)

        at_reply = len(list(blobs.iterdir()))
        for start in (18.0, 18.5):  # time in which a page that went on would show
            ask(server, "audio/clip", ClipParams(path=str(recording), start_seconds=start, end_seconds=20), Clip)
        later = len(list(blobs.iterdir()))
    finally:
        server.close()

    under_way = 2 * (os.cpu_count() or 1)
    assert 2 <= at_reply < 2 * len(clips) - under_way
    assert later - at_reply <= under_way


def shell_pipe(folder: Path, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """As from a shell: all requests at once, then the end of the input; the sidecar's replies in order."""
    (folder / "tmp").mkdir(exist_ok=True)
    environment = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder / "tmp"))}
    lines = "".join(json.dumps({"jsonrpc": "2.0", "id": n, **one}) + "\n" for n, one in enumerate(requests))
    command = sidecar_command("--state-folder", folder / "s", "--cache-folder", folder / "c")
    done = subprocess.run(command, input=lines, capture_output=True, text=True, cwd=ROOT, env=environment, check=True)
    return sorted(map(json.loads, done.stdout.splitlines()), key=lambda reply: reply["id"])


def test_files_outlive_a_shell_pipe_for_ten_minutes(tmp_path, recording):
    place = {"path": str(recording), "startSeconds": 1, "endSeconds": 3, "delivery": "file"}
    clip = {"method": "audio/clip", "params": place}

    blobs = [Path(shell_pipe(tmp_path, clip)[0]["result"]["spectrogram"]["path"]) for _ in range(2)]

    for blob in blobs:
        with Image.open(blob) as image:
            assert image.size == (224, 224)
    past = time.time() - 605
    for path in (*blobs[0].parent.iterdir(), blobs[0].parent):
        os.utime(path, (past, past))
    shell_pipe(tmp_path, clip)
    assert not blobs[0].parent.exists()
    assert blobs[1].exists()


def test_files_are_delivered_into_the_clients_folder(tmp_path, recording):
    command = sidecar_command("--state-folder", tmp_path / "s", "--cache-folder", tmp_path / "c")
    server = Connection(child.spawn([str(part) for part in command], cwd=ROOT))
    try:
        ask(server, "initialize", InitializeParams(blob_folder=str(tmp_path / "blobs")), msgspec.Raw)
        answer = ask(server, "audio/clips", page(recording, delivery="file"), Clips)
    finally:
        server.close()

    for clip in answer.clips:
        for blob in (clip.spectrogram, clip.audio):
            assert isinstance(blob, FileBlob)
            assert Path(blob.path).parent == tmp_path / "blobs"
            assert Path(blob.path).stat().st_size == blob.bytes


def test_clearing_the_cache(server, recording):
    past = time.time() - 60
    os.utime(recording, (past, past))
    ask(server, "audio/clips", page(recording), Clips)

    assert ask(server, "cache/clear", NoParams(), CacheCleared).freed_bytes > 100_000
    assert ask(server, "cache/clear", NoParams(), CacheCleared).freed_bytes == 0


BAD: list[tuple[dict[str, Any], type[RpcError], str]] = [
    ({"path": "missing.wav"}, FileMissing, "missing.wav"),
    ({"path": "."}, DecodeFailed, "is a folder"),
    ({"end_seconds": 0.5}, InvalidParams, "$.endSeconds"),
    ({"spectrogram": {"windowSamples": 65536}}, InvalidParams, "$.spectrogram.windowSamples"),
    ({"spectrogram": {"frequencyRangeHz": [0, 9000]}}, InvalidParams, "$.spectrogram.frequencyRangeHz"),
    ({"spectrogram": {"widthPixels": 0}}, InvalidParams, "$.spectrogram.widthPixels"),
    ({"spectrogram": {"heightPixels": 100_000}}, InvalidParams, "$.spectrogram.heightPixels"),
    ({"spectrogram": {"colormap": "jet"}}, InvalidParams, "$.spectrogram.colormap"),
    ({"audio": {"sampleRate": 1}}, InvalidParams, "$.audio.sampleRate"),
    ({"audio": {"channel": 1}}, InvalidParams, "$.audio.channel"),
]


class Loose(msgspec.Struct, rename="camel"):
    """Params as a careless client sends them."""

    path: str
    start_seconds: float = 1.0
    end_seconds: float = 3.0
    spectrogram: dict[str, Any] = {}
    audio: dict[str, Any] = {}


@pytest.mark.parametrize(("change", "kind", "words"), BAD)
def test_bad_requests(server, recording, change, kind, words):
    change = {"path": str(recording), **change, "start_seconds": 1.0}

    with pytest.raises(kind) as error:
        ask(server, "audio/clip", Loose(**{"end_seconds": 3.0, **change}), Clip)

    assert words in error.value.message


def test_a_scan_streams_its_rows(server, tmp_path):
    original = write_sound(tmp_path / "1.wav", noise(100), RATE)
    for number in range(2, 1201):
        (tmp_path / f"{number}.wav").hardlink_to(original)
    rows: list[msgspec.Raw] = []

    answer = ask(server, "folders/scan", ScanParams(folder=str(tmp_path)), Scan, on_rows=rows.extend)

    assert (answer.files, answer.count) == ((), 1200)
    assert [json.loads(bytes(row))["path"] for row in rows] == [str(tmp_path / f"{n}.wav") for n in range(1, 1201)]


def test_two_pages_at_once_do_not_mix(server, tmp_path):
    recordings = [write_sound(tmp_path / f"{n}.wav", noise(20 * RATE, seed=n), RATE) for n in range(2)]

    futures = [server.call("audio/clips", page(path), Clips) for path in recordings]
    answers = [future.result(PATIENCE) for future in futures]

    for path, answer in zip(recordings, answers, strict=True):
        assert {clip.path for clip in answer.clips} == {str(path)}
    assert np.all([a.spectrogram != b.spectrogram for a, b in zip(answers[0].clips, answers[1].clips, strict=True)])
