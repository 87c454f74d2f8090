"""survey.preflight: whether a run can start, told before anything is begun."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from rpc.cancel import CancelToken
from rpc.errors import FileMissing, ModelLoadFailed
from schemas.config import Validation
from survey.config import parse_config
from survey.preflight import check_ready, validate_document, validate_file, validate_files

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    soundfile.write(tmp_path / "in" / "a.wav", np.zeros(100, np.float32), 8000)
    return tmp_path


def document(**changes: Any) -> dict[str, Any]:
    model = {"source": "zoo", "name": "BirdNET"}
    return {"model": model, "input": {"folders": ["in"]}, "output": {"folder": "out"}} | changes


def validate(survey: Path, files: tuple[Path, ...] = (), **changes: Any) -> Validation:
    return validate_document(document(**changes), survey, files, CancelToken())


def test_a_run_that_can_start(survey: Path) -> None:
    answer = validate(survey)

    assert answer.valid
    assert (answer.errors, answer.warnings) == ((), ())
    assert answer.files is not None
    assert answer.files.valid == (str(survey / "in" / "a.wav"),)


TOAD = {"source": "ribbit", "className": "toad", "signalBandHz": [2000, 2500], "pulseRateHz": [13, 22]}
PROBLEMS = [
    ({"inference": {"batchSiz": 1}}, "$.inference.batchSiz", "batchSize"),
    ({"input": {"folders": ["gone"]}}, "$.input.folders[0]", "gone"),
    ({"input": {}}, "$.input", "names no recordings"),
    ({"input": {"folders": ["."], "files": []}, "output": {"folder": "in/a.wav/x"}}, "$.output.folder", "is a file"),
    ({"model": {"source": "checkpoint", "path": "none.pt"}}, "$.model.path", "none.pt"),
    ({"model": {"source": "checkpoint", "path": "in"}}, "$.model.path", "is a folder"),
    ({"input": {"files": ["in/x.wav", "in/y.wav"]}}, "$.input.files", "nor are 1 others"),
    ({"input": {"patterns": ["**/*.csv", "in/*.wav"]}}, "$.input.patterns[0]", "failures.csv for one"),
    ({"input": {"patterns": ["in/*.wav", "out/*/scores/*.parquet"]}}, "$.input.patterns[1]", "part-000001.parquet"),
    ({"output": {"folder": f"out/{'x' * 300}"}}, "$.output.folder", "name too long"),
    ({"output": {"folder": "out", "threshold": "high"}}, "$.output.threshold", "Expected `float"),
    ({"model": TOAD, "inference": {"classes": ["Toda"]}}, "$.inference.classes[0]", "Did you mean 'toad'?"),
    ({"model": TOAD, "inference": {"clipOverlapSeconds": 5}}, "$.inference.clipOverlapSeconds", "cannot overlap by 5"),
]


@pytest.mark.parametrize(("changes", "place", "words"), PROBLEMS)
def test_what_stands_in_the_way_is_told_with_its_place(
    survey: Path, changes: dict[str, Any], place: str, words: str
) -> None:
    answer = validate(survey, **changes)

    assert not answer.valid
    assert [error.path for error in answer.errors] == [place]
    assert words in answer.errors[0].message


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_folder_in_which_none_can_be_made_is_told(survey: Path) -> None:
    answer = validate(survey, output={"folder": "/proc/results"})

    assert [error.message for error in answer.errors] == ["No folder can be made in /proc."]


def test_trying_the_output_folder_leaves_nothing(survey: Path) -> None:
    before = sorted(survey.rglob("*"))

    assert validate(survey, output={"folder": "out/of/sight"}).valid
    assert sorted(survey.rglob("*")) == before


@pytest.mark.parametrize("pattern", ["in/**/*", "in/*.wav", "other/**/*.csv", "*.csv", "in/*.txt"])
def test_patterns_that_do_not_match_results_are_welcome(survey: Path, pattern: str) -> None:
    answer = validate(survey, input={"patterns": [pattern, "in/*.wav"]}, output={"folder": "in/out"})

    assert answer.errors == ()


def test_the_room_that_results_need_is_told(survey: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(60):
        soundfile.write(survey / "in" / f"{index}.wav", np.zeros(8000 * 6, np.float32), 8000)
    classes = [f"class {index}" for index in range(200)]
    (survey / "model.onnx").write_bytes(b"")
    model = {"source": "onnx", "path": "model.onnx", "classes": classes, "sampleRate": 8000, "clipSeconds": 3.0}

    enough = validate(survey, model=model)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(1, 1, 100_000))
    too_little = validate(survey, model=model)
    unknown = validate(survey)

    assert enough.needed_bytes is not None
    assert 2 * 60 * 200 * 10 < enough.needed_bytes < 2 * 60 * 200 * 16
    assert enough.valid
    assert (enough.free_bytes or 0) > enough.needed_bytes
    assert [error.path for error in too_little.errors] == ["$.output.folder"]
    assert re.search(r"about 3\d\d kB, and the disk of .* has 100 kB free", too_little.errors[0].message)
    assert too_little.free_bytes == 100_000
    assert (unknown.needed_bytes, unknown.valid) == (None, True)


def test_a_run_says_so_itself(survey: Path) -> None:
    config = parse_config(document(model={"source": "python", "path": "in/a.wav", "className": "Own"}), survey)

    with pytest.raises(ModelLoadFailed, match="is a Python program"):
        check_ready(config, CancelToken(), trust=False)
    assert check_ready(config, CancelToken(), trust=True) == (survey / "in" / "a.wav",)
    answer = validate(survey, model={"source": "python", "path": "in/a.wav", "className": "Own"})
    assert (answer.valid, "is a Python program" in answer.warnings[0]) == (True, True)


def test_several_problems_come_at_once(survey: Path) -> None:
    model, chosen = {"source": "checkpoint", "path": "none.pt"}, {"folders": ["gone", "in"]}

    answer = validate(survey, model=model, input=chosen)

    assert [error.path for error in answer.errors] == ["$.model.path", "$.input.folders[0]"]


def test_recordings_that_cannot_be_scored_are_a_warning(survey: Path) -> None:
    (survey / "in" / "b.wav").write_bytes(b"RIFF")

    answer = validate(survey, (survey / "none.wav",))

    assert answer.valid
    assert answer.warnings == ("2 of 3 recordings cannot be scored.",)
    assert answer.files is not None
    assert (answer.files.unreadable, answer.files.missing) == (
        (str(survey / "in" / "b.wav"),), (str(survey / "none.wav"),),
    )  # fmt: skip


def test_a_run_of_which_nothing_can_be_scored_cannot_start(survey: Path) -> None:
    assert not validate(survey, input={"files": ["none.wav"]}).valid
    assert not validate_files([survey / "none.wav"], CancelToken()).valid
    assert validate_files([survey / "in" / "a.wav"], CancelToken()).valid


def test_an_older_form_is_validated_with_its_warnings(survey: Path) -> None:
    old = {"model": "BirdNET", "files": ["in/a.wav"], "output_file": "out/x.csv", "colour": "red"}

    answer = validate_document(old, survey, (), CancelToken())

    assert answer.valid
    assert any("colour" in warning for warning in answer.warnings)


def test_a_file_that_is_no_config_is_an_answer_and_one_that_is_not_there_an_error(survey: Path) -> None:
    (survey / "bad.json").write_text("{nope")
    (survey / "good.json").write_text(json.dumps(document()))

    assert validate_file(survey / "bad.json", (), CancelToken()).errors[0].path == "$"
    assert validate_file(survey / "good.json", (), CancelToken()).valid
    with pytest.raises(FileMissing):
        validate_file(survey / "none.json", (), CancelToken())


@pytest.mark.skipif(sys.platform != "linux", reason="needs setpriv")
def test_a_folder_that_may_not_be_written_is_told(survey: Path) -> None:
    if os.geteuid() == 0 and not Path("/usr/bin/setpriv").exists():
        pytest.skip("root may write everywhere, and there is no setpriv")
    (survey / "out").mkdir(mode=0o555)
    code = (
        "import sys, json; sys.path.insert(0, sys.argv[1]); from pathlib import Path; "
        "from rpc.cancel import CancelToken; from survey.preflight import validate_document; "
        "answer = validate_document(json.loads(sys.argv[2]), Path(sys.argv[3]), (), CancelToken()); "
        "print([error.path for error in answer.errors])"
    )
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []

    done = subprocess.run(
        [*drop, sys.executable, "-c", code, str(ROOT), json.dumps(document()), str(survey)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout.strip() == "['$.output.folder']"
