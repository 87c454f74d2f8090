"""A sidecar starts at once: what takes long to import waits until it is needed."""

from __future__ import annotations

import subprocess
import sys

SLOW = {"scipy", "soxr", "PIL", "matplotlib", "duckdb", "guano"}


def test_handlers_of_sound_import_nothing_slow():
    script = "import sys, sidecar.handlers.audio, sidecar.handlers.folders; print(*sys.modules)"

    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert SLOW & {name.split(".")[0] for name in output.split()} == set()


def test_a_clip_needs_no_scipy_signal():
    script = (
        "import sys, numpy as np\n"
        "from rpc.cancel import CancelToken\n"
        "from schemas.audio import SpectrogramSettings\n"
        "from sidecar.audio.picture import draw_spectrogram\n"
        "draw_spectrogram(np.zeros(2000, np.float32), 8000, SpectrogramSettings(), CancelToken())\n"
        "print(*sys.modules)"
    )

    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert "scipy.fft" in output.split()
    assert not {"scipy.signal", "scipy.ndimage"} & set(output.split())


def test_what_a_clip_needs_is_imported_in_the_background_once():
    script = (
        "import sys, threading\n"
        "from sidecar.audio.warm import prepare_in_background\n"
        "before = {'numpy', 'scipy.fft'} & set(sys.modules)\n"
        "prepare_in_background(); prepare_in_background()\n"
        "threads = [thread for thread in threading.enumerate() if thread.name == 'warm']\n"
        "[thread.join() for thread in threads]\n"
        "print(len(before), len(threads), *sys.modules)"
    )

    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()

    assert output[:2] == ["0", "1"]
    assert {"scipy.fft", "sidecar.audio.batch", "pybase64"} <= set(output)
