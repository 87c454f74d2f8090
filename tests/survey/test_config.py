"""survey.config, survey.faults: reading, checking, normalising, writing and comparing configs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpc.errors import ConfigInvalid, FileMissing, RequestFailed
from schemas.config import Config
from survey.config import check_config, differences, fingerprint, load_config, parse_config, save_config
from survey.faults import find_faults

RIBBIT = {"source": "ribbit", "className": "toad", "signalBandHz": [2000, 2500], "pulseRateHz": [13, 22]}


def document(**changes: Any) -> dict[str, Any]:
    """A config with nothing but what has no default, and `changes`."""
    return {"model": RIBBIT, "input": {"folders": ["in"]}, "output": {"folder": "out"}} | changes


def config(**changes: Any) -> Config:
    return parse_config(document(**changes), Path("/survey"))


def test_a_config_without_faults_has_all_defaults_and_absolute_paths() -> None:
    loaded = config(input={"files": ["a.wav"], "folders": ["in"], "patterns": ["x/**/*.wav"]})

    assert loaded.input.files == ("/survey/a.wav",)
    assert loaded.input.folders == ("/survey/in",)
    assert loaded.input.patterns == ("/survey/x/**/*.wav",)
    assert loaded.output.folder == "/survey/out"
    assert loaded.inference.batch_size == "auto"
    assert loaded.name == "job"


FAULTS = [
    ({"inference": {"batchSiz": 4}}, "$.inference.batchSiz", "Did you mean `batchSize`?"),
    ({"Inference": {}}, "$.Inference", "Did you mean `inference`?"),
    ({"inference": {"batchSize": 0}}, "$.inference.batchSize", "1"),
    ({"inference": {"batchSize": "many"}}, "$.inference.batchSize", "auto"),
    ({"inference": {"activation": "softmaxx"}}, "$.inference.activation", "Did you mean `softmax`?"),
    ({"inference": {"device": "gpu"}}, "$.inference.device", "cuda"),
    ({"inference": []}, "$.inference", "Expected an object"),
    ({"input": {"files": ["a.wav", 3]}}, "$.input.files[1]", "str"),
    ({"output": {}}, "$.output.folder", "missing"),
    ({"output": {"folder": "x", "formats": ["csv", "xlsx"]}}, "$.output.formats[1]", "parquet"),
    ({"schemaVersion": 2}, "$.schemaVersion", "1"),
    ({"model": {"source": "zooo", "name": "x"}}, "$.model.source", "Did you mean `zoo`?"),
    ({"model": {"name": "x"}}, "$.model", "`source` is missing"),
    ({"model": {"source": "zoo"}}, "$.model.name", "missing"),
    ({"model": RIBBIT | {"signalBandHz": [2500, 2000]}}, "$.model.signalBandHz", "below"),
    ({"model": RIBBIT | {"noiseBandsHz": [[0, 5], [9, 9]]}}, "$.model.noiseBandsHz[1]", "below"),
    ({"inference": {"clipOverlapSeconds": 5.0}}, "$.inference.clipOverlapSeconds", "overlap"),
    ({"inference": {"classes": []}}, "$.inference.classes", "null"),
]


@pytest.mark.parametrize(("changes", "path", "words"), FAULTS)
def test_a_fault_is_told_with_its_path_and_what_would_be_right(changes: dict[str, Any], path: str, words: str) -> None:
    problems = check_config(document(**changes))

    assert [problem.path for problem in problems] == [path]
    assert words in problems[0].message


def test_all_faults_are_told_at_once() -> None:
    problems = check_config({"model": {"source": "zoo"}, "inputs": {}, "inference": {"workers": -1, "devise": "cpu"}})

    assert {problem.path for problem in problems} == {
        "$.model.name", "$.inputs", "$.input", "$.output", "$.inference.workers", "$.inference.devise",
    }  # fmt: skip


@pytest.mark.parametrize("value", [None, 3, "x", [], True])
def test_what_is_no_object_is_no_config(value: Any) -> None:
    assert [problem.path for problem in check_config(value)] == ["$"]


words = st.text("abcd", max_size=4)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["model", "input", "output", "inference", "name", "schemaVersion", "source"]


@given(st.dictionaries(st.sampled_from(FIELDS), json_values))
def test_faults_are_found_exactly_when_the_struct_refuses_the_document(changes: dict[str, Any]) -> None:
    wanted = document(**changes)
    try:
        msgspec.convert(wanted, Config)
        fits = True
    except msgspec.ValidationError:
        fits = False

    faults = list(find_faults(wanted, Config))

    assert fits == (not faults)


def test_saving_and_loading_give_the_same_config(tmp_path: Path) -> None:
    saved = save_config(tmp_path / "c.json", config(name="spring survey"))

    loaded = load_config(tmp_path / "c.json")

    assert loaded.config == saved.config
    assert loaded.source_format == "current"
    assert loaded.warnings == ()
    assert json.loads((tmp_path / "c.json").read_text())["inference"]["device"] == "auto"
    assert [path.name for path in tmp_path.iterdir()] == ["c.json"]


def test_an_existing_config_is_overwritten_only_when_allowed(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    save_config(path, config(name="first"))

    with pytest.raises(RequestFailed, match="exists already"):
        save_config(path, config(name="second"), overwrite=False)

    assert load_config(path).config.name == "first"


def test_relative_paths_in_a_file_start_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps(document()))

    loaded = load_config(tmp_path / "c.json").config

    assert loaded.input.folders == (str(tmp_path / "in"),)
    assert loaded.output.folder == str(tmp_path / "out")


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(document()).encode())

    assert load_config(tmp_path / "c.json").config.name == "job"


BROKEN = [
    (b'{"model": 1,\n "input": oops}', "line 2, column 11"),
    (b"", "not a config"),
    (b'{"name": "\xff"}', "not a config"),
    (b"[" * 100_000, "not a config"),
    (b"RIFF\x00\x00\x00\x00WAVEfmt ", "not a config"),
]


@pytest.mark.parametrize(("content", "words"), BROKEN)
def test_a_file_that_is_no_json_is_told_apart(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "c.json").write_bytes(content)

    with pytest.raises(ConfigInvalid, match=words) as caught:
        load_config(tmp_path / "c.json")

    assert caught.value.path == str(tmp_path / "c.json")


def test_faults_of_a_file_name_the_field(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps(document(inference={"batchSiz": 2})))

    with pytest.raises(ConfigInvalid, match=r"\$\.inference\.batchSiz: .*batchSize"):
        load_config(tmp_path / "c.json")


def test_no_such_file_and_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        load_config(tmp_path / "none.json")
    with pytest.raises(FileMissing, match="no folder"):
        save_config(tmp_path / "none" / "c.json", config())


@pytest.mark.skipif(os.name == "nt", reason="no home folders of that form")
def test_the_home_folder_may_be_written_as_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")

    assert config(output={"folder": "~/results"}).output.folder == "/home/ann/results"


SAME_SCORES = [
    {"name": "other"},
    {"output": {"folder": "elsewhere", "formats": ["parquet"]}},
    {"inference": {"batchSize": 7, "workers": 3, "device": "cpu"}},
    {"input": {"files": ["more.wav"]}},
]
OTHER_SCORES = [
    ({"inference": {"clipOverlapSeconds": 1.0}}, "$.inference.clipOverlapSeconds"),
    ({"inference": {"activation": "sigmoid"}}, "$.inference.activation"),
    ({"inference": {"classes": ["toad"]}}, "$.inference.classes"),
    ({"output": {"folder": "out", "threshold": 0.5}}, "$.output.threshold"),
    ({"model": RIBBIT | {"clipSeconds": 3.0}}, "$.model.clipSeconds"),
]


@pytest.mark.parametrize("changes", SAME_SCORES)
def test_the_fingerprint_does_not_depend_on_what_leaves_scores_alone(changes: dict[str, Any]) -> None:
    assert fingerprint(config(**changes)) == fingerprint(config())
    assert differences(config(**changes), config()) == ()


@pytest.mark.parametrize(("changes", "path"), OTHER_SCORES)
def test_the_fingerprint_depends_on_what_changes_scores(changes: dict[str, Any], path: str) -> None:
    assert fingerprint(config(**changes)) != fingerprint(config())
    [difference] = differences(config(), config(**changes))
    assert difference.startswith(f"{path}: ")


def test_a_pipe_a_device_and_a_folder_are_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)

    for path in (pipe, Path("/dev/zero"), tmp_path):
        with pytest.raises(ConfigInvalid, match="is no ordinary file") as caught:
            load_config(path)
        assert caught.value.path == str(path)


def test_no_more_is_read_than_a_config_may_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("survey.config.MAX_CONFIG_BYTES", 100)
    path = tmp_path / "large.json"
    path.write_text(" " * 101)

    with pytest.raises(ConfigInvalid, match="too large"):
        load_config(path)


@pytest.mark.parametrize("content", [b"RIFF\x24\0\0\0WAVEfmt ", b"file,owl\na.wav,1\n", b"[1, 2]"])
def test_what_is_no_config_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recording.wav"
    path.write_bytes(content)

    with pytest.raises(RequestFailed, match="is no config") as caught:
        save_config(path, config(), overwrite=True)

    assert caught.value.hint is not None
    assert path.read_bytes() == content


def test_a_pipe_and_a_folder_are_not_replaced_by_a_config(tmp_path: Path) -> None:
    pipe, folder = tmp_path / "pipe.json", tmp_path / "folder.json"
    os.mkfifo(pipe)
    folder.mkdir()

    for path in (pipe, folder):
        with pytest.raises(RequestFailed, match="is no ordinary file"):
            save_config(path, config(), overwrite=True)

    assert pipe.is_fifo()
    assert folder.is_dir()


@pytest.mark.parametrize("content", ["", '{"an": "older form"}'])
def test_an_empty_file_and_any_config_are_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)

    save_config(path, config(), overwrite=True)

    assert load_config(path).config == config()


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"clipSeconds": 0.01}, "$.model.clipSeconds"),
        ({"clipSeconds": 4000}, "$.model.clipSeconds"),
        ({"clipSeconds": -1}, "$.model.clipSeconds"),
        ({"signalBandHz": [2500, 2000]}, "$.model.signalBandHz"),
        ({"pulseRateHz": [13, 13]}, "$.model.pulseRateHz"),
    ],
)
def test_nonsense_about_a_ribbit_model_is_refused_with_its_place(changes: dict[str, Any], place: str) -> None:
    problems = check_config(document(model=RIBBIT | changes))

    assert [problem.path for problem in problems] == [place]


@pytest.mark.parametrize("seconds", [0.05, 3600])
def test_clips_may_be_as_short_and_as_long_as_it_says(seconds: float) -> None:
    assert check_config(document(model=RIBBIT | {"clipSeconds": seconds})) == []
