"""Whether the preprocessing that a model file describes is only preprocessing.

What lives here: the check of a preprocessor saved as a dict. What must not: building it.

OpenSoundscape looks most of a saved preprocessor up in registries, but not all of it is harmless: a list of
"transforms" may name any class of any module, which is imported and called, and the registry of functions has some
that write files or fetch addresses. A file that is opened without trust must not do that.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rpc.errors import ModelLoadFailed

_TRANSFORMS = ("torchaudio.transforms.", "torchvision.transforms.", "torch.nn.modules.")
_OWN_TRANSFORMS = {"opensoundscape.preprocess.actions.MelScale", "opensoundscape.preprocess.actions.TorchCropFreq"}
_CLIP_LOADER = "opensoundscape.preprocess.actions.AudioClipLoader"
_READS_A_FILE = "from_file"
_REACHES_OUT = {"save", "from_url", "from_xc", "from_bytesio", "split_and_save", "plot", "show_widget"}


def check_recipe(recipe: Any, path: Path) -> None:
    """Raise ModelLoadFailed when a saved preprocessor would do more than prepare sound."""
    for name, action in recipe.get("pipeline", {}).items():
        for offence in _offences(action):
            message = f"{path} is refused: its preprocessing step {name!r} would call {offence}."
            raise ModelLoadFailed(message, path=path, hint="No model that OpenSoundscape saved by itself does that.")


def _offences(action: dict[str, Any]) -> Iterator[str]:
    function = str(action.get("action_fn", "")).rpartition(".")[2]
    if function in _REACHES_OUT or (function == _READS_A_FILE and action.get("class") != _CLIP_LOADER):
        yield str(action["action_fn"])
    for transform in action.get("transforms", ()):
        name = f"{transform['module']}.{transform['class']}"
        if not (name.startswith(_TRANSFORMS) and "." not in transform["class"]) and name not in _OWN_TRANSFORMS:
            yield name
