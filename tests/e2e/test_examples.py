"""Every example of the protocol page is sent as it stands and answered with the result that the page promises."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from rpc.methods import Method, Params
from schemas.catalogue import METHODS
from schemas.config import Config
from schemas.env import SetupParams
from schemas.examples import EXAMPLES
from schemas.models import PrepareParams
from tools.demo.chorus import write_chorus
from tools.demo.client import SidecarClient
from tools.paths import ML, ROOT
from tools.which_sidecar import sidecar_command

pytestmark = pytest.mark.ml


@pytest.fixture(scope="module")
def folder(tmp_path_factory, ml_python):
    """The folder that the examples speak of."""
    folder = tmp_path_factory.mktemp("survey")
    (folder / "recordings").mkdir()
    write_chorus(folder / "recordings" / "dawn.wav")
    example: Any = EXAMPLES["config/save"]
    (folder / "survey.json").write_bytes(msgspec.json.encode(msgspec.convert(example["config"], Config)))
    (folder / "predictions.csv").write_text(
        "file,start_time,end_time,toad\nrecordings/dawn.wav,10.0,15.0,0.9\nrecordings/dawn.wav,15.0,20.0,0.2\n"
    )
    (folder / "weights" / "hub" / "checkpoints").mkdir(parents=True)
    (folder / "weights" / "hub" / "checkpoints" / "frog.bin").write_bytes(b"weights")
    (folder / "ml").symlink_to(ML, target_is_directory=True)
    return folder


@pytest.fixture(scope="module")
def client(folder):
    command = sidecar_command("--state-folder", folder / "state", "--cache-folder", folder / "cache")
    with pytest.MonkeyPatch.context() as patched:
        # Imported weights must not go into the cache of whoever runs the tests.
        patched.setenv("TORCH_HOME", str(folder / "torch"))
        with SidecarClient(command, stderr=folder / "sidecar.log", cwd=folder) as client:
            yield client


@pytest.fixture(scope="module")
def answers() -> dict[str, str]:
    """What earlier answers gave: the ids that later examples name as `<scoresId>` and `<jobId>`."""
    return {}


def filled_in(params: dict[str, Any] | None, answers: dict[str, str]) -> dict[str, Any] | None:
    text = msgspec.json.encode(params).decode()
    for name, value in answers.items():
        text = text.replace(f"<{name}>", value)
    return msgspec.json.decode(text)


# The archive takes a minute to extract: tests/e2e/test_archive.py sets one up for real. Weights come from the internet:
# tests/ml_runtime/test_downloads.py fetches some from this computer.
NOT_SENT = {"env/setup": SetupParams, "models/prepare": PrepareParams}
SENT = [method for method in METHODS if method.name not in NOT_SENT]


@pytest.mark.parametrize("method", SENT, ids=lambda method: method.name)
def test_the_example_is_answered(method: Method, client: SidecarClient, answers: dict[str, str]):
    params = filled_in(EXAMPLES[method.name], answers)

    result = client.call_raw(method.name, params)

    decoded = msgspec.json.decode(result, type=method.result)
    assert decoded == msgspec.json.decode(msgspec.json.encode(decoded), type=method.result)
    known = msgspec.json.decode(result)
    if isinstance(known, dict):
        answers.update({name: known[name] for name in ("scoresId", "jobId") if name in known})


@pytest.mark.parametrize("name", NOT_SENT)
def test_the_example_that_is_not_sent_fits_its_params(name):
    assert msgspec.convert(EXAMPLES[name], NOT_SENT[name])


def test_every_method_has_an_example():
    assert set(EXAMPLES) == {method.name for method in METHODS}


@pytest.mark.parametrize("method", [m for m in METHODS if EXAMPLES[m.name]], ids=lambda method: method.name)
def test_the_page_shows_the_example(method: Method):
    page = (ROOT / "docs" / "protocol.md").read_text("utf-8")

    assert f'"method": "{method.name}"' in page
    assert issubclass(method.params, Params)
