"""Weights are fetched with progress, can be stopped, and are told of when they cannot be had.

A server on this computer stands for the model hubs: a real class of the zoo and huggingface_hub fetch from it, led
there as a user would lead them (DIPPER_MODEL_MIRROR, HF_ENDPOINT).
"""

from __future__ import annotations

import hashlib
import http.server
import threading
from pathlib import Path

import huggingface_hub
import pytest
import torch

from ml_runtime.models import downloads
from ml_runtime.models.downloads import MIRROR_VARIABLE, Watch, fetch
from ml_runtime.models.registry import ModelProvider, list_models
from rpc.cancel import CancelToken
from rpc.errors import DownloadFailed, ModelLoadFailed, RequestCancelled
from schemas.config import ZooModel
from tests.ml_runtime.test_zoo import WEIGHTS

RANA = ZooModel(name="RanaSierraeCNN")


class Hub(http.server.ThreadingHTTPServer):
    """Serves `files` by name. Of those in `cut` it promises all and sends half; `asked` lists the names."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Answer(http.server.BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self._head()

    def do_GET(self) -> None:
        content = self._head()
        name = self.path.rpartition("/")[2]
        self.wfile.write(content[: len(content) // 2] if name in self.server.cut else content)

    def _head(self) -> bytes:
        name = self.path.partition("?")[0].rpartition("/")[2]
        self.server.asked.append(name)
        content = self.server.files.get(name)
        self.send_response(404 if content is None else 200)
        content = content or b""
        self.send_header("Content-Length", str(len(content)))
        # What Hugging Face tells of a file.
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", "a" * 40)
        self.end_headers()
        return content

    def log_message(self, *arguments) -> None:
        pass


@pytest.fixture
def hub():
    with Hub() as hub:
        threading.Thread(target=hub.serve_forever, daemon=True).start()
        yield hub
        hub.shutdown()


@pytest.fixture(scope="module")
def rana() -> bytes:
    """Weights that the real class can load."""
    import io

    from opensoundscape.ml.cnn_architectures import resnet18

    torch.manual_seed(3)
    content = io.BytesIO()
    torch.save(resnet18(num_classes=2, weights=None).state_dict(), content)
    return content.getvalue()


@pytest.fixture
def torch_home(tmp_path, monkeypatch, hub) -> Path:
    """An empty cache, and the hub in place of the internet."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv(MIRROR_VARIABLE, hub.url)
    return tmp_path / "torch" / "hub" / "checkpoints"


def prepare(on_progress=lambda progress: None, token: CancelToken | None = None):
    return ModelProvider().prepare(RANA, trust=False, token=token or CancelToken(), on_progress=on_progress)


def is_cached() -> bool | None:
    return next(model.weights_cached for model in list_models().models if model.name == RANA.name)


def test_a_model_is_prepared_with_progress_and_then_cached(hub, rana, torch_home):
    # Arrange
    hub.files[WEIGHTS] = rana
    told: list = []
    assert is_cached() is False

    # Act
    prepared = prepare(told.append)

    # Assert
    assert prepared.fetched_bytes == len(rana)
    assert [(Path(file.path), file.size_bytes) for file in prepared.files] == [(torch_home / WEIGHTS, len(rana))]
    assert (prepared.class_count, prepared.clip_seconds) == (2, 2.0)
    assert prepared.weights.startswith("sha256:")
    assert told[-1].done == told[-1].total == len(rana)
    assert told[-1].message == f"fetching {WEIGHTS}"
    assert is_cached() is True


def test_prepared_weights_are_not_fetched_again(hub, rana, torch_home):
    hub.files[WEIGHTS] = rana
    first = prepare()
    hub.files.clear()

    again = prepare()

    assert again.fetched_bytes == 0
    assert (again.weights, again.files) == (first.weights, first.files)


def test_a_cancel_leaves_nothing_behind(hub, rana, torch_home):
    hub.files[WEIGHTS] = rana * 4
    token = CancelToken()

    def cancel(progress) -> None:
        if progress.unit == "bytes":
            token.cancel()

    with pytest.raises(RequestCancelled):
        prepare(cancel, token)

    # The thread that fetches hears of it with the next bytes.
    for thread in threading.enumerate():
        if thread.name == "model loader":
            thread.join(10)
    assert not any(torch_home.iterdir())
    assert is_cached() is False


def test_what_cannot_be_fetched_is_named_with_its_place_and_leaves_nothing(hub, torch_home):
    with pytest.raises(ModelLoadFailed, match=f"{WEIGHTS} could not be fetched") as refused:
        prepare()

    assert "404" in refused.value.message
    assert str(torch_home / WEIGHTS) in refused.value.hint
    assert not any(torch_home.iterdir())


def test_a_connection_that_breaks_off_leaves_nothing(hub, rana, torch_home):
    hub.files[WEIGHTS] = rana
    hub.cut.add(WEIGHTS)

    with pytest.raises(ModelLoadFailed, match="broke off"):
        prepare()

    assert not any(torch_home.iterdir())


def test_a_file_of_another_content_than_promised_is_refused(hub, tmp_path):
    hub.files["weights.pth"] = b"others"
    right = hashlib.sha256(b"others").hexdigest()[:8]

    with pytest.raises(DownloadFailed, match="SHA-256"):
        fetch(f"{hub.url}/weights.pth", tmp_path / "weights.pth", Watch(), "00000000")
    assert not list(tmp_path.iterdir())
    fetch(f"{hub.url}/weights.pth", tmp_path / "weights.pth", Watch(), right)

    assert (tmp_path / "weights.pth").read_bytes() == b"others"


def test_a_server_that_is_not_there_is_told(tmp_path, hub):
    gone = Hub()
    gone.server_close()

    with pytest.raises(DownloadFailed, match=r"weights\.pth could not be fetched"):
        fetch(f"{gone.url}/weights.pth", tmp_path / "weights.pth", Watch())


def test_hugging_face_is_fetched_from_its_endpoint_with_progress(hub, tmp_path, monkeypatch):
    # Arrange: what HF_ENDPOINT sets when huggingface_hub is imported
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
    template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    hub.files["labels.txt"] = b"toad\nfrog\n" * 1000
    told: list[tuple] = []
    watch = Watch(tell=lambda *heard: told.append(heard))

    # Act
    with downloads.watched_downloads(watch):
        asked = {"repo_id": "frogs/model", "filename": "labels.txt", "cache_dir": tmp_path}
        path = huggingface_hub.hf_hub_download(**asked)

    # Assert
    assert Path(path).read_bytes() == hub.files["labels.txt"]
    assert told[-1] == ("labels.txt", 10000, 10000)
    assert (watch.fetched_bytes, watch.files, watch.wanted) == (10000, [Path(path)], [])


def test_hugging_face_can_be_cancelled(hub, tmp_path, monkeypatch):
    template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    hub.files["labels.txt"] = bytes(30_000_000)
    token = CancelToken()
    watch = Watch(token, lambda *heard: token.cancel())

    with downloads.watched_downloads(watch), pytest.raises(RequestCancelled):
        huggingface_hub.hf_hub_download(repo_id="frogs/model", filename="labels.txt", cache_dir=tmp_path)

    assert 0 < watch.fetched_bytes < 30_000_000
    assert not list(tmp_path.glob("models--frogs--model/snapshots/*/*"))


def test_the_functions_of_the_libraries_are_put_back():
    before = torch.hub.download_url_to_file

    with downloads.watched_downloads(Watch()):
        assert torch.hub.download_url_to_file is not before

    assert torch.hub.download_url_to_file is before
