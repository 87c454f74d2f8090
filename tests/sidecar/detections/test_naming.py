"""sidecar.detections.naming: names that every system allows, none of them twice."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.detections import ChosenDetection
from sidecar.detections.naming import FreeNames, stem_of

WINDOWS_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in "123456789¹²³")}


def detection(path: str = "/d/S1_20240512_053000.WAV", **more: object) -> ChosenDetection:
    return ChosenDetection(path=path, start_seconds=723.5, end_seconds=728.5, **more)  # type: ignore[arg-type]


def problems_on_any_system(name: str) -> list[str]:
    """What Windows, macOS or Linux would not have in the name of a file."""
    found = []
    if any(character in '<>:"/\\|?*' or ord(character) < 32 or character == "\x7f" for character in name):
        found.append("a forbidden character")
    if name.split(".")[0].strip().upper() in WINDOWS_DEVICES:
        found.append("a device of Windows")
    if name[-1] in " ." or name[0] in ".-" or name in ("", ".", ".."):
        found.append("a bad beginning or end")
    if len(name.encode("utf-8")) > 200 or len(name.encode("utf-16-le")) > 2 * 200:
        found.append("too long")
    return found


def test_a_person_finds_class_score_recording_and_time() -> None:
    assert stem_of(detection(class_="Setophaga pusilla", score=0.8712)) == (
        "Setophaga pusilla_0.8712_S1_20240512_053000_723.5s"
    )
    assert stem_of(detection(class_="toad", score=7.4e-12)) == "toad_7.4e-12_S1_20240512_053000_723.5s"
    assert stem_of(detection()) == "S1_20240512_053000_723.5s"


@pytest.mark.parametrize(
    ("given_class", "beginning"),
    [
        ("a/b\\c:d", "a_b_c_d_"),
        ("..hidden", "hidden_"),
        ("-rf", "_-rf_"),
        ("CON.x", "_CON.x_"),
        ("nul .y", "_nul .y_"),
        ("COM¹.z", "_COM¹.z_"),
        ("Kärlä 🦉", "Kärlä 🦉_"),
        ("\u202ecod", "_cod_"),
        ("...", "__"),
        ("x" * 300, "x" * 29 + "~" + "x" * 29 + "_"),
    ],
)
def test_odd_classes(given_class: str, beginning: str) -> None:
    assert stem_of(detection(class_=given_class)) == f"{beginning}S1_20240512_053000_723.5s"


def test_of_a_long_recording_beginning_and_time_stay() -> None:
    stem = stem_of(detection(f"/d/Station{'X' * 180}_20240512_053000.wav"))

    assert stem.startswith("Station")
    assert stem.endswith("_20240512_053000_723.5s")


def test_a_recording_whose_name_is_no_text() -> None:
    assert stem_of(detection("file:///d/%E4.wav")) == "__723.5s"


anything = st.text(st.characters(), min_size=1, max_size=400)


@given(
    class_=st.none() | anything | st.sampled_from(sorted(WINDOWS_DEVICES)).map(lambda name: f"{name}.x"),
    recording=st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=200),
    score=st.none() | st.floats(),
    start=st.floats(-1e6, 1e9),
)
@example(class_="\ud800", recording="a", score=float("-inf"), start=0.0)
@example(class_=None, recording="con.wav.wav", score=None, start=0.0)
def test_every_name_is_allowed_everywhere(
    class_: str | None, recording: str, score: float | None, start: float
) -> None:
    stem = stem_of(
        ChosenDetection(path=f"/d/{recording}.wav", start_seconds=start, end_seconds=start, class_=class_, score=score)
    )

    assert not problems_on_any_system(f"{stem}.wav")
    assert not problems_on_any_system(f"{stem}_100000.flac")


names = st.sampled_from(["Owl_1", "owl_1", "OWL_1", "Käuz_1", "Ka\u0308uz_1", "Straße_1", "STRASSE_1", "Owl_1_2", "x"])


@given(existing=st.lists(names.map(lambda name: f"{name}.wav")), wanted=st.lists(names, max_size=20))
def test_no_two_names_are_one_file_on_any_system(existing: list[str], wanted: list[str]) -> None:
    free = FreeNames(existing)

    given_names = [free.claim(stem, [".wav", ".png"]) for stem in wanted]

    folded = [unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold()) for name in given_names]
    assert len(set(folded)) == len(folded)
    assert not {f"{name}.wav" for name in given_names} & set(existing)


def test_a_name_is_taken_by_any_of_its_files() -> None:
    free = FreeNames(["a.png", "b.txt"])

    assert free.claim("a", [".wav", ".png"]) == "a_2"
    assert free.claim("a", [".wav"]) == "a"
    assert free.claim("b", [".wav", ".png"]) == "b"


def test_the_longest_names_can_be_written(tmp_path: Path) -> None:
    stem = stem_of(detection(f"/d/{'ö' * 120}.wav", class_="猫" * 100, score=-1.2345e-300))

    (tmp_path / f".{stem}_100000.flac.01234567.partial").touch()
    assert len(list(tmp_path.iterdir())) == 1
