"""survey.shards: which recordings are whose, today and after recordings were added."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpc.errors import ConfigInvalid
from survey.shards import Shard, parse_shard, shard_in_name, shard_of, share_of

NAMES = st.lists(st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1), unique=True)


@given(names=NAMES, count=st.integers(1, 50))
def test_every_recording_is_in_one_share_and_added_ones_move_none(names: list[str], count: int) -> None:
    paths = [Path("/data") / f"{name}.wav" for name in names]

    before = [share_of(paths[: len(paths) // 2], Shard(index, count)) for index in range(1, count + 1)]
    after = [share_of(paths, Shard(index, count)) for index in range(1, count + 1)]

    assert sorted(path for share in after for path in share) == sorted(paths)
    assert all(set(old) <= set(new) for old, new in zip(before, after, strict=True))


def test_the_rule_is_the_documented_one_for_ever() -> None:
    # Scores of shards that ran years ago are found by it.
    files = ["/data/a.wav", "/data/b.wav", "/data/Zaunk\u00f6nig.wav", "file:///data/%FF.wav"]

    assert [shard_of(file, 20).index for file in files] == [17, 7, 6, 6]


def test_shares_are_about_even() -> None:
    shares = [0] * 20
    for site in range(50):
        for hour in range(200):
            shares[shard_of(f"/data/site{site}/20240512_{hour:06d}.WAV", 20).index - 1] += 1

    assert 400 < min(shares) < max(shares) < 600


def test_no_shard_is_everything() -> None:
    assert share_of([Path("/a"), Path("/b")], None) == (Path("/a"), Path("/b"))


@pytest.mark.parametrize(("text", "shard"), [("3/20", Shard(3, 20)), (" 1 / 1 ", Shard(1, 1)), ("07/10", Shard(7, 10))])
def test_shards_as_people_write_them(text: str, shard: Shard) -> None:
    assert parse_shard(text) == shard


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0/20", "count from 1 to 20"),
        ("21/20", "no shard 21"),
        ("3", "write 3/20"),
        ("3/0", "cannot be 0"),
        ("a/b", "write"),
    ],
)
def test_what_names_no_shard_is_told(text: str, words: str) -> None:
    with pytest.raises(ConfigInvalid, match=words):
        parse_shard(text)


def test_folders_are_named_so_that_they_sort() -> None:
    names = [Shard(index, 20).folder_name for index in (1, 2, 10, 20)]

    assert names == sorted(names)
    assert [shard_in_name(name) for name in names] == [Shard(index, 20) for index in (1, 2, 10, 20)]
    assert [shard_in_name(name) for name in ("x", "3-of-2", "0-of-2", "1-of-2x")] == [None] * 4
