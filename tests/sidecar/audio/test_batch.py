"""Pages of clips: order, errors of single clips, cores, cancellation; and the cache behind them."""

from __future__ import annotations

import os
import threading
import time

import msgspec
import pytest

from rpc.cancel import CancelToken
from rpc.errors import DecodeFailed, FileMissing, InternalError, InvalidParams, RequestCancelled
from schemas.audio import AudioSettings, Clip, ClipParams, SpectrogramSettings
from sidecar.audio import batch, clips
from sidecar.audio.batch import ClipRenderer, in_batch
from sidecar.audio.blobs import BlobStore
from sidecar.audio.cache import ClipCache
from survey.recordings import open_recording
from tests.sounds import noise, write_sound

RATE = 22050


def a_while_ago(path):
    """As recordings are: not written within the last tick of the clock."""
    moment = time.time_ns() - 60_000_000_000
    os.utime(path, ns=(moment, moment))
    return path


@pytest.fixture
def recordings(tmp_path):
    return [
        a_while_ago(write_sound(tmp_path / f"{number}.wav", noise(RATE * 4, seed=number), RATE)) for number in range(3)
    ]


def request(path, start=0.0, end=1.0, **options):
    return ClipParams(path=str(path), start_seconds=start, end_seconds=end, **options)


@pytest.fixture
def cache(tmp_path):
    return ClipCache(tmp_path / "cache")


@pytest.fixture
def renderer(cache):
    return ClipRenderer(BlobStore(), cache)


@pytest.fixture
def opened(monkeypatch):
    """The paths of recordings that were opened."""
    paths = []

    def counting(path, token):
        paths.append(path)
        return open_recording(path, token)

    monkeypatch.setattr(batch, "open_recording", counting)
    return paths


def test_a_batch_is_the_single_clips_in_order(recordings):
    renderer = ClipRenderer(BlobStore())
    requests = [request(recordings[n % 3], n / 10, n / 10 + 1) for n in range(25)]
    told = []

    clips = renderer.render_all(requests, CancelToken(), lambda number, clip: told.append((number, clip)))

    assert clips == [renderer.render(one, CancelToken()) for one in requests]
    assert told == list(enumerate(clips))


def test_no_clips_at_all(renderer):
    assert renderer.render_all([], CancelToken()) == []


def test_bad_clips_have_their_own_errors(recordings, renderer, tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    requests = [
        request(recordings[0]),
        request(tmp_path / "missing.wav"),
        request(tmp_path / "text.wav"),
        request(recordings[0], 2, 1),
        request("a\0b.wav"),
        request(recordings[1]),
    ]

    outcomes = renderer.render_all(requests, CancelToken())

    kinds = [Clip, FileMissing, DecodeFailed, InvalidParams, InvalidParams, Clip]
    assert [type(outcome) for outcome in outcomes] == kinds
    assert in_batch(outcomes[3], 3).message.startswith("$.clips[3].endSeconds: ")
    assert in_batch(outcomes[4], 4).message.startswith("$.clips[4].path: ")


def test_a_fault_of_ours_stays_with_its_clip(recordings, monkeypatch):
    real = clips.render_from

    def faulty(recording, one, token):
        if one.start_seconds == 1:
            raise ZeroDivisionError
        return real(recording, one, token)

    monkeypatch.setattr(batch, "render_from", faulty)

    outcomes = ClipRenderer(BlobStore()).render_all([request(recordings[0], n, 3) for n in range(3)], CancelToken())

    assert [type(outcome) for outcome in outcomes] == [Clip, InternalError, Clip]


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_a_recording_is_opened_once_a_core_at_most(recordings, opened, monkeypatch, cores):
    monkeypatch.setattr(batch, "_cores", lambda: cores)
    requests = [request(recordings[0], n / 10, n / 10 + 1) for n in range(20)]

    ClipRenderer(BlobStore()).render_all(requests, CancelToken())

    assert 1 <= len(opened) <= cores


def test_a_missing_recording_is_looked_for_once_a_core_at_most(tmp_path, opened, monkeypatch):
    monkeypatch.setattr(batch, "_cores", lambda: 2)

    outcomes = ClipRenderer(BlobStore()).render_all([request(tmp_path / "missing.wav")] * 20, CancelToken())

    assert {type(outcome) for outcome in outcomes} == {FileMissing}
    assert len(opened) <= 2


def test_cores_work_at_the_same_time(recordings, monkeypatch):
    together = threading.Barrier(2, timeout=20)
    real = clips.render_from

    def meeting(recording, one, token):
        together.wait()
        return real(recording, one, token)

    monkeypatch.setattr(batch, "render_from", meeting)
    monkeypatch.setattr(batch, "_cores", lambda: 2)

    outcomes = ClipRenderer(BlobStore()).render_all([request(recordings[0], n, 3) for n in (0, 1)], CancelToken())

    assert all(isinstance(outcome, Clip) for outcome in outcomes)


def test_cancelling_does_not_wait_for_the_clips_under_way(recordings, monkeypatch):
    token, release, done = CancelToken(), threading.Event(), threading.Event()

    def endless(_recording, _one, _token):
        token.cancel()
        release.wait(20)
        done.set()
        raise RequestCancelled

    monkeypatch.setattr(batch, "render_from", endless)

    with pytest.raises(RequestCancelled):
        ClipRenderer(BlobStore()).render_all([request(recordings[0])] * 50, token)

    assert not done.is_set()
    release.set()


def test_rows_come_while_others_are_rendered(recordings, monkeypatch):
    first_was_told = threading.Event()
    real = clips.render_from

    def waiting(recording, one, token):
        if one.start_seconds == 2:
            assert first_was_told.wait(20)
        return real(recording, one, token)

    monkeypatch.setattr(batch, "render_from", waiting)

    def on_ready(number, _outcome):
        if number == 0:
            first_was_told.set()

    requests = [request(recordings[0], n, 3) for n in range(3)]
    outcomes = ClipRenderer(BlobStore()).render_all(requests, CancelToken(), on_ready)

    assert all(isinstance(outcome, Clip) for outcome in outcomes)


# The cache.


def entries(cache):
    return list(cache._folder.glob("*.clip"))


def test_a_second_look_reads_no_recording(recordings, renderer, opened):
    requests = [request(path, n, n + 1) for path in recordings for n in range(2)]

    first = renderer.render_all(requests, CancelToken())
    opened.clear()
    second = renderer.render_all(requests, CancelToken())

    assert second == first
    assert opened == []
    assert renderer.render(requests[0], CancelToken()) == first[0]


DIFFERENT = [
    {"end": 1.5},
    {"spectrogram": SpectrogramSettings(colormap="magma")},
    {"spectrogram": SpectrogramSettings(decibel_range="auto")},
    {"audio": AudioSettings(normalize=False)},
    {"audio": AudioSettings(sample_rate=8000)},
    {"include": ("audio",)},
    {"include": ("spectrogram",)},
]


@pytest.mark.parametrize("options", DIFFERENT)
def test_every_setting_is_part_of_the_key(recordings, cache, options):
    plain, other = request(recordings[0]), request(recordings[0], **options)

    assert cache.key_of(plain) != cache.key_of(other)
    assert ClipRenderer(BlobStore(), cache).render(plain, CancelToken()) != ClipRenderer(BlobStore(), cache).render(
        other, CancelToken()
    )


def test_settings_that_change_nothing_share_a_clip(recordings, cache):
    """How it is delivered, and settings of what is left out."""
    alike = [
        request(recordings[0], include=("spectrogram",)),
        request(recordings[0], include=("spectrogram",), delivery="file"),
        request(recordings[0], include=("spectrogram",), audio=AudioSettings(sample_rate=8000)),
    ]

    assert len({cache.key_of(one) for one in alike}) == 1


def same_times_and_size(path, samples):
    before = path.stat()
    write_sound(path, samples, RATE)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


@pytest.mark.parametrize("kind", ["size", "time", "content only", "replaced"])
def test_never_stale(recordings, renderer, kind):
    path = recordings[0]
    before = renderer.render(request(path), CancelToken())
    samples = noise(RATE * 4, seed=99)
    if kind == "size":
        a_while_ago(write_sound(path, samples[:-1], RATE))
    elif kind == "time":
        a_while_ago(write_sound(path, samples, RATE))
    elif kind == "content only":
        same_times_and_size(path, samples)
    else:
        other = path.with_name("other.wav")
        write_sound(other, samples, RATE)
        times = path.stat()
        os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
        other.replace(path)

    after = renderer.render(request(path), CancelToken())

    assert after != before
    assert after == ClipRenderer(BlobStore()).render(request(path), CancelToken())


def test_a_file_that_is_being_written_is_not_remembered(tmp_path, cache):
    path = write_sound(tmp_path / "a.wav", noise(RATE), RATE)
    now = time.time_ns()
    os.utime(path, ns=(now, now))

    assert cache.key_of(request(path)) is None


def test_a_recording_that_changes_while_it_is_read_is_not_remembered(recordings, cache, monkeypatch):
    real = clips.render_clip

    def changing(one, token):
        rendered = real(one, token)
        os.utime(recordings[0], ns=(5, 5))
        return rendered

    monkeypatch.setattr(batch, "render_clip", changing)
    ClipRenderer(BlobStore(), cache).render(request(recordings[0]), CancelToken())

    assert entries(cache) == []


@pytest.mark.parametrize("damage", [b"", b"\0" * 1000, b"abc"])
def test_a_damaged_entry_is_rendered_anew(recordings, renderer, cache, damage):
    first = renderer.render(request(recordings[0]), CancelToken())
    (entry,) = entries(cache)
    entry.write_bytes(damage)

    assert renderer.render(request(recordings[0]), CancelToken()) == first
    assert renderer.render(request(recordings[0]), CancelToken()) == first


def test_the_least_recently_used_make_room(recordings, tmp_path):
    rendered = ClipRenderer(BlobStore(), ClipCache(tmp_path / "one"))
    rendered.render(request(recordings[0]), CancelToken())
    (entry,) = (tmp_path / "one").iterdir()
    limit = int(entry.stat().st_size * 5.5)
    cache = ClipCache(tmp_path / "cache", limit)
    renderer = ClipRenderer(BlobStore(), cache)
    requests = [request(recordings[0], n / 10, n / 10 + 1) for n in range(12)]

    keys = []
    for number, one in enumerate(requests):
        renderer.render(one, CancelToken())
        renderer.render(requests[0], CancelToken())
        keys.append(cache.key_of(one) or "")
        for age, path in enumerate(sorted(entries(cache), key=lambda path: path.stat().st_mtime_ns, reverse=True)):
            moment = 2_000_000_000_000 - 1_000_000_000 * age + number
            os.utime(path, ns=(moment, moment))

    assert sum(path.stat().st_size for path in entries(cache)) <= limit
    assert cache.get(keys[0]) is not None
    assert cache.get(keys[-1]) is not None
    assert cache.get(keys[1]) is None


def test_clearing_frees_what_it_says_and_nothing_else(recordings, renderer, cache):
    renderer.render(request(recordings[0]), CancelToken())
    (entry,) = entries(cache)
    stranger = cache._folder / "photo.png"
    stranger.write_bytes(b"x" * 10)
    size = entry.stat().st_size

    assert cache.clear() == size
    assert cache.clear() == 0
    assert stranger.exists()
    assert not entry.exists()


def test_a_cache_that_cannot_be_written_is_no_error(recordings, tmp_path):
    (tmp_path / "file").touch()
    renderer = ClipRenderer(BlobStore(), ClipCache(tmp_path / "file" / "cache"))

    assert isinstance(renderer.render(request(recordings[0]), CancelToken()), Clip)
    assert ClipCache(tmp_path / "file" / "cache").clear() == 0


def test_a_name_that_is_not_utf8_has_a_key(recordings, tmp_path, cache):
    name = os.fsencode(tmp_path) + b"/\xe9.wav"
    os.rename(recordings[0], name)  # noqa: PTH104
    uri = "file://" + os.fsencode(tmp_path).decode() + "/%E9.wav"

    clip = ClipRenderer(BlobStore(), cache).render(request(uri), CancelToken())

    assert clip.path == uri
    assert len(entries(cache)) == 1
    assert msgspec.json.encode(clip)
