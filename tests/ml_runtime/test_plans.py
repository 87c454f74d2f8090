"""However a network is run, its scores are the same; what is quickest is found out, remembered, and can be demanded."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from ml_runtime import run as running
from ml_runtime.models.pictures import Pictures
from ml_runtime.models.plans import plans_for
from ml_runtime.models.protocol import ModelCard
from ml_runtime.models.registry import ModelProvider
from ml_runtime.pipeline import tuning
from ml_runtime.pipeline.choices import Choice, Choices
from ml_runtime.pipeline.readers import Readers
from ml_runtime.pipeline.tuning import Tuned, Tuning
from ml_runtime.sound import Sound
from rpc.cancel import CancelToken
from rpc.errors import ConfigInvalid, RequestCancelled
from schemas.config import CheckpointModel, InferenceConfig
from tests.ml_runtime.conftest import make_model
from tests.ml_runtime.jobs import ANY_MODEL, make_job, predictions, run
from tests.sounds import noise, write_sound


@pytest.fixture(scope="module")
def provider():
    return ModelProvider()


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    write_sound(folder / "a.wav", noise(16000 * 21, seed=1), 16000)
    write_sound(folder / "b.wav", noise(44100 * 9, channels=2, seed=2), 44100)
    return folder


def told_in(folder, name="environment") -> dict:
    return json.loads(getattr(folder, f"{name}_path").read_text("utf-8"))


@pytest.mark.parametrize("plan", plans_for(torch.device("cpu"), "float32")[1:])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_every_plan_gives_the_scores_of_eager(checkpoint, sounds, provider, tmp_path, plan, batch_size):
    model = CheckpointModel(path=str(checkpoint))
    plain = make_job(tmp_path / "plain", sounds, model, plan="eager")
    planned = make_job(tmp_path / "planned", sounds, model, plan=plan, batch_size=batch_size)

    run(plain, provider)
    run(planned, provider)

    assert np.abs(predictions(planned).to_numpy() - predictions(plain).to_numpy()).max() <= 1e-5
    assert predictions(plain).to_numpy().std() > 1e-3
    assert told_in(planned)["plan"] == told_in(planned, "summary")["plan"] == plan
    assert told_in(planned)["batchSize"] == batch_size


def test_a_measured_job_can_be_repeated_to_the_last_bit(checkpoint, sounds, provider, tmp_path, monkeypatch):
    # Arrange
    monkeypatch.setattr(tuning, "CLIPS_TRIED", 0)
    monkeypatch.setattr(tuning, "_SECONDS_TO_MAKE", 0)
    model, choices = CheckpointModel(path=str(checkpoint)), Choices(tmp_path / "cache")
    first = make_job(tmp_path / "first", sounds, model)
    running.run_job(first, provider, CancelToken(), lambda progress: None, choices=choices)
    recorded = told_in(first)

    # Act
    again = make_job(tmp_path / "again", sounds, model, plan=recorded["plan"], batch_size=recorded["batchSize"])
    run(again, ModelProvider())
    remembered = make_job(tmp_path / "remembered", sounds, model)
    running.run_job(remembered, ModelProvider(), CancelToken(), lambda progress: None, choices=choices)

    # Assert
    assert again.predictions_path.read_bytes() == first.predictions_path.read_bytes()
    assert remembered.predictions_path.read_bytes() == first.predictions_path.read_bytes()
    assert told_in(first, "summary")["plan"] == recorded["plan"]
    assert (told_in(first, "summary")["deviation"] or 0) <= 1e-5


def test_a_plan_that_there_is_not_is_refused(sounds, checkpoint, provider, tmp_path):
    with pytest.raises(ConfigInvalid, match=r"inference.plan: .*onnx"):
        run(make_job(tmp_path / "ribbit", sounds, ANY_MODEL, plan="onnx"))
    with pytest.raises(ConfigInvalid, match="channels-last"):
        run(make_job(tmp_path / "cpu", sounds, CheckpointModel(path=str(checkpoint)), plan="channels-last"), provider)


class Choosy:
    """A model that stands for networks: plans of known speed and deviation. It scores the numbers it is given."""

    card = ModelCard(name="choosy", classes=("a",), clip_seconds=1.0, sample_rate=None, weights="choosy")

    def __init__(self, **plans):
        self._plans = {"eager": (0.003, 0.0), **plans}
        self.followed: list[str] = []
        self.sizes: list[int] = []

    def plans(self, precision):
        return tuple(self._plans)

    def follow(self, plan, examples):
        self.followed.append(plan)
        if self._plans[plan] is None:
            raise RuntimeError("cannot be traced")

    def forget_other_plans(self):
        pass

    def score(self, prepared):
        seconds, deviation = self._plans[self.followed[-1]]
        time.sleep(seconds * len(prepared))
        self.sizes.append(len(prepared))
        return np.array([[value + deviation] for value in prepared], dtype=np.float32)


def tuned(model, *, choices=None, clips_left=1e6, token=None, **inference) -> Tuned:
    wanted = Tuning(InferenceConfig(**inference), choices, "key", clips_left)
    return Tuned(model, wanted, token or CancelToken(), lambda message: None)


def test_the_quickest_plan_with_equal_scores_is_taken_and_remembered(tmp_path):
    # Arrange
    model = Choosy(wrong=(0.0, 1e-3), nan=(0.0, np.nan), broken=None, slow=(0.005, 0.0), good=(0.001, 1e-6))
    scorer = tuned(model, choices=Choices(tmp_path))
    clips = np.linspace(0, 1, 16, dtype=np.float32)

    # Act
    scores = scorer.score(clips)

    # Assert
    assert scorer.choice is not None
    assert scorer.choice.plan == model.followed[-1] == "good"
    assert np.abs(scores[:, 0] - clips).max() < 1e-5
    again = Choosy(good=(0.001, 1e-6))
    tuned(again, choices=Choices(tmp_path)).score(clips)
    assert again.followed == ["good"]
    assert set(again.sizes) == {scorer.choice.batch_size}


def test_half_a_precision_may_deviate_and_says_by_how_much():
    model = Choosy(bfloat16=(0.001, 0.02))
    assert tuned(model, precision="float32").score([0.5] * 8).shape == (8, 1)
    assert model.followed[-1] == "eager"

    scorer = tuned(model, precision="bfloat16")
    scorer.score([0.5] * 8)

    assert scorer.choice is not None
    assert scorer.choice.plan == "bfloat16"
    assert scorer.choice.deviation == pytest.approx(0.02, rel=1e-3)


def test_who_asks_for_half_a_precision_hears_what_became_of_it(checkpoint, sounds, provider, tmp_path):
    folder = make_job(tmp_path, sounds, CheckpointModel(path=str(checkpoint)), precision="bfloat16", batch_size=4)

    run(folder, provider)

    summary = told_in(folder, "summary")
    if summary["plan"] == "bfloat16":
        assert 0 < summary["deviation"] < 1
    else:
        assert any("bfloat16 is not quicker here" in note for note in summary["notes"])


@pytest.mark.parametrize(("clips_left", "size"), [(50, 8), (2000, 16)])
def test_a_job_too_small_to_gain_is_not_measured_and_no_clip_is_scored_twice_for_it(clips_left, size):
    """Of 2000 clips at 3 ms a third is 2 s; making the plans takes more."""
    model = Choosy(good=(0.0, 0.0))
    scorer = tuned(model, clips_left=clips_left)
    assert scorer.batch_size == size

    scores = scorer.score(np.linspace(0, 1, size, dtype=np.float32))

    assert set(model.followed) <= {"eager"}
    assert model.sizes == ([8] if size == 8 else [5, 8, 8])
    assert np.array_equal(scores[:, 0], np.linspace(0, 1, size, dtype=np.float32))
    assert scorer.milliseconds == pytest.approx(3, rel=0.5)


def test_runs_that_did_what_is_chosen_are_not_done_again():
    model = Choosy(good=(0.001, 1e-6))

    scorer = tuned(model, batch_size=8)
    scores = scorer.score(np.linspace(0, 1, 16, dtype=np.float32))

    assert model.sizes == [5, 8, 5, 8, 8]
    assert scores.shape == (16, 1)
    assert (scores[:, 0] - np.linspace(0, 1, 16)).max() == pytest.approx(1e-6, rel=0.1)


def test_as_many_threads_prepare_as_keep_up_with_the_model():
    readers, stopping = Readers(2, 8), threading.Event()
    readers.fit(1.0)
    assert readers.count == 2

    with readers.preparing(10, stopping):
        time.sleep(0.05)
    for milliseconds, count in ((20.0, 1), (3.5, 3), (0.1, 8)):
        readers.fit(milliseconds)
        assert readers.count in (count, count + 1) if count < 8 else readers.count == 8


def test_no_more_threads_prepare_than_may():
    readers, stopping = Readers(2, 8), threading.Event()
    most, now, lock = [0], [0], threading.Lock()

    def prepare(_):
        with readers.preparing(1, stopping):
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            time.sleep(0.005)
            with lock:
                now[0] -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(prepare, range(24)))

    assert most[0] == 2


def test_a_cancel_ends_the_measuring():
    token = CancelToken()
    scorer = tuned(Choosy(good=(0.001, 0.0)), token=token)
    token.cancel()

    with pytest.raises(RequestCancelled):
        scorer.score([0.5] * 16)


@pytest.mark.parametrize("content", [b"", b"{", b'{"key": {"plan": 3}}', b"[]"])
def test_a_damaged_memory_is_no_memory(tmp_path, content):
    choices = Choices(tmp_path)
    choices.remember("key", Choice(plan="onnx", batch_size=4))
    (file,) = tmp_path.iterdir()
    file.write_bytes(content)

    assert choices.recall("key") is None
    choices.remember("key", Choice(plan="eager", batch_size=2))
    assert choices.recall("key") == Choice(plan="eager", batch_size=2)


def test_a_memory_that_cannot_be_kept_stops_nothing(tmp_path):
    (tmp_path / "file").touch()
    choices = Choices(tmp_path / "file")

    choices.remember("key", Choice(plan="eager", batch_size=2))

    assert choices.recall("key") is None


SETTINGS = [
    {},
    {"height": None, "width": None},
    {"bandpass_range": (1000, 6000), "channels": 1},
    {"height": 40, "width": None, "sample_duration": 1.23},
]


@pytest.mark.parametrize("options", SETTINGS)
def test_pictures_drawn_together_are_those_of_the_preprocessor(sounds, tmp_path, options):
    # Arrange
    path = tmp_path / "model.pt"
    reference = make_model(**options)
    reference.save(path)
    config = CheckpointModel(path=str(path))
    model = ModelProvider().load(config, "cpu", trust=False, token=CancelToken(), tell=lambda message: None)
    seconds = model.card.clip_seconds

    # Act
    with Sound.open(sounds / "b.wav") as sound:
        starts = [0.0, 0.7 * seconds, 1.4 * seconds, 9 - seconds / 2]
        pictures = model.prepare_together(sound, starts, [start + seconds for start in starts])

    # Assert
    assert pictures is not None
    for start, picture in zip(starts, pictures, strict=True):
        expected = reference.preprocessor.forward((str(sounds / "b.wav"), start), bypass_augmentations=True).data
        assert torch.allclose(picture.expand(expected.shape), expected, rtol=0, atol=1e-5)
        assert expected.std() > 0.01


def test_preprocessing_of_another_kind_is_left_to_itself():
    model = make_model()
    model.preprocessor.pipeline = model.preprocessor.pipeline.drop("load_audio")
    assert Pictures.of(model.preprocessor) is not None

    for step, change in (("to_spec", {"window_samples": 600}), ("to_tensor", {"colormap": "jet"})):
        changed = make_model().preprocessor
        changed.pipeline = changed.pipeline.drop("load_audio")
        changed.pipeline[step].set(**change)
        known = Pictures.of(changed)
        assert (known is None) == (step == "to_tensor"), step
    assert Pictures.of(make_model(sample_rate=None, bandpass_range=(0, 8000)).preprocessor) is None


def test_pictures_drawn_late_give_the_same_scores(sounds, checkpoint):
    """As on a GPU: sound waits for the network, and becomes pictures on its device."""
    config, token = CheckpointModel(path=str(checkpoint)), CancelToken()
    early, late = (
        ModelProvider().load(config, "cpu", trust=False, token=token, tell=lambda message: None) for _ in range(2)
    )
    late._draws_late = True
    with Sound.open(sounds / "a.wav") as sound:
        pictures = [early.prepare(sound, start, start + 2.0) for start in (0.0, 2.0, 20.0)]
        waveforms = [late.prepare(sound, start, start + 2.0) for start in (0.0, 2.0, 20.0)]

    assert waveforms[0].shape == (32000,)
    assert np.abs(late.score(waveforms) - early.score(pictures)).max() < 1e-5
