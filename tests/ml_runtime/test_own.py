"""A user's own model: the one in docs/models.md, and all the ways to get one wrong."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from ml_runtime.models.registry import ModelProvider
from ml_runtime.sound import Sound
from rpc.cancel import CancelToken
from rpc.errors import DecodeFailed, FileMissing, ModelLoadFailed, RequestFailed
from schemas.config import PythonModel
from tests.ml_runtime.jobs import failures, make_job, predictions, run
from tests.sounds import noise, tone, write_sound

DOCUMENTED = Path(__file__).resolve().parents[2] / "docs" / "models.md"
PLAIN = """
import numpy as np
from ml_runtime.clips import extended_clips
from ml_runtime.models.protocol import ModelCard

class Plain:
    card = ModelCard(name="Plain", classes=("a", "b"), clip_seconds=1.0, sample_rate=None, weights="1")
    def clip_times(self, sound, overlap_seconds):
        return extended_clips(sound.duration_seconds, 1.0, overlap_seconds)
    def prepare(self, sound, start_seconds, end_seconds):
        return start_seconds
    def score(self, prepared):
        return np.array([[start, -start] for start in prepared])
"""


def write(tmp_path: Path, source: str) -> Path:
    path = tmp_path / "my_model.py"
    path.write_text(source, encoding="utf-8")
    return path


def load(path: Path, class_name: str = "Plain", *, trust: bool = True, **options):
    config = PythonModel(path=str(path), class_name=class_name, options=options)
    return ModelProvider().load(config, "cpu", trust=trust, token=CancelToken(), tell=lambda message: None)


@pytest.fixture
def documented(tmp_path) -> Path:
    (source,) = re.findall(r"```python\n(.*?)```", DOCUMENTED.read_text("utf-8"), re.DOTALL)
    return write(tmp_path, source)


def test_the_documented_example_runs_in_a_job(documented, tmp_path):
    # Arrange
    (tmp_path / "in").mkdir()
    write_sound(tmp_path / "in" / "high.wav", tone(3000, 22050, 6.0), 22050)
    write_sound(tmp_path / "in" / "low.wav", tone(500, 22050, 4.0), 22050)
    model = PythonModel(path=str(documented), class_name="BandEnergy", options={"low_hz": 1500, "name": "frog"})
    folder = make_job(tmp_path / "out", tmp_path / "in", model)

    # Act
    run(folder, trust=True)

    # Assert
    scores = predictions(folder)
    assert list(scores.columns) == ["frog"]
    assert [round(score, 2) for score in scores["frog"]] == [1, 1, 0, 0]
    assert '"weights": "sha256:' in folder.environment_path.read_text("utf-8")


def test_it_is_not_run_without_trust(tmp_path):
    marker = tmp_path / "ran"
    path = write(tmp_path, f"open({str(marker)!r}, 'w')\n{PLAIN}")

    with pytest.raises(ModelLoadFailed, match="runs its code") as refused:
        load(path, trust=False)

    assert "trust" in refused.value.hint
    assert not marker.exists()
    load(path)
    assert marker.exists()


def test_a_changed_file_is_another_model(tmp_path):
    path = write(tmp_path, PLAIN)
    before = load(path).card.weights
    path.write_text(PLAIN.replace("-start", "2 * start"), encoding="utf-8")

    assert before.startswith("sha256:")
    assert load(path).card.weights != before


def test_options_and_device_reach_the_constructor(tmp_path):
    init = "\n    def __init__(self, device, gain=1):\n        self.made_with = device, gain\n"
    path = write(tmp_path, PLAIN.replace("class Plain:", f"class Plain:{init}"))

    assert load(path, gain=3)._model.made_with == ("cpu", 3)


def test_it_may_import_what_lies_beside_it(tmp_path):
    (tmp_path / "my_helper_of_frogs.py").write_text("GAIN = 3\n", encoding="utf-8")
    path = write(tmp_path, f"from my_helper_of_frogs import GAIN\n{PLAIN}\nPlain.gain = GAIN\n")

    assert load(path)._model.gain == 3


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def broken(:\n", "SyntaxError"),
        ("import no_such_module_at_all\n", "no_such_module_at_all"),
        ("raise SystemExit(3)\n", "SystemExit"),
        ("x = 1\n", "no class 'Plain'"),
        (PLAIN.replace("class Plain:", "class Plane:"), "no class 'Plain'"),
        (PLAIN.replace("def score", "def scoer"), r"no score\(\)"),
        (PLAIN.replace("card = ", "cart = "), "no ModelCard"),
        (PLAIN.replace('("a", "b")', '("a", "a")'), "none twice"),
        (PLAIN.replace('("a", "b")', "()"), "at least one"),
        (PLAIN.replace("clip_seconds=1.0", "clip_seconds=0"), "above 0"),
        (PLAIN + "    def __init__(self):\n        1 / 0\n", "ZeroDivisionError"),
        (PLAIN + "    def __init__(self, level):\n        pass\n", "level"),
    ],
)
def test_every_slip_ends_with_a_sentence_that_names_the_file(tmp_path, source, said):
    with pytest.raises(ModelLoadFailed, match=said) as refused:
        load(write(tmp_path, source))

    assert "my_model.py" in refused.value.message


def test_the_nearest_class_is_named(tmp_path):
    with pytest.raises(ModelLoadFailed) as refused:
        load(write(tmp_path, PLAIN.replace("class Plain:", "class Plane:")))

    assert "Plane" in refused.value.hint


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileMissing, match=r"none\.py"):
        load(tmp_path / "none.py")


@pytest.mark.parametrize(
    "score",
    ["return np.zeros((len(prepared), 3))", "return np.zeros(2)", "return [['a', 'b']] * len(prepared)", "1 / 0"],
)
def test_scores_of_a_wrong_shape_are_refused(tmp_path, score):
    source = PLAIN.partition("        return np.array([[start")[0] + f"        {score}\n"

    with pytest.raises(RequestFailed, match=r"my_model\.py|Plain") as refused:
        load(write(tmp_path, source)).score([0.0, 1.0])

    assert refused.value.path == str(tmp_path / "my_model.py")


def test_numbers_become_floats(tmp_path):
    path = write(tmp_path, PLAIN.replace("[[start, -start]", "[[int(start), 1]"))

    assert load(path).score([1.0]).dtype == np.float32


def test_what_fails_for_a_recording_is_told_of_that_recording(tmp_path):
    clips = "        if sound.duration_seconds < 1.5:\n            raise KeyError('odd')\n"
    prepare = "        if start_seconds == 1.0:\n            raise ValueError('odd clip')\n"
    source = PLAIN.replace("        return extended_clips", f"{clips}        return extended_clips")
    source = source.replace("        return start_seconds", f"{prepare}        return start_seconds")
    (tmp_path / "in").mkdir()
    write_sound(tmp_path / "in" / "long.wav", noise(8000 * 3), 8000)
    write_sound(tmp_path / "in" / "short.wav", noise(8000), 8000)
    model = PythonModel(path=str(write(tmp_path, source)), class_name="Plain")
    folder = make_job(tmp_path / "out", tmp_path / "in", model)

    outcome = run(folder, trust=True)

    assert (outcome.files_done, outcome.files_failed) == (1, 1)
    assert failures(folder)["short.wav"][0] == DecodeFailed.code
    assert "odd clip" in failures(folder)["long.wav"][1]
    assert list(predictions(folder)["a"].dropna()) == [0.0, 2.0]


def test_the_own_errors_of_a_recording_pass_through(tmp_path, recordings):
    raising = "        from rpc.errors import DecodeFailed\n        raise DecodeFailed('my own words')\n"
    source = PLAIN.replace("        return extended_clips", f"{raising}        return extended_clips")

    with Sound.open(recordings / "mono.wav") as sound, pytest.raises(DecodeFailed, match="my own words"):
        load(write(tmp_path, source)).clip_times(sound, 0.0)
