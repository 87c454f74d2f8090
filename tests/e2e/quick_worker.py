"""The worker as it is, but for two things: its model needs no torch, and parts are closed soon.

A worker that imports OpenSoundscape takes seconds to start, and a crash loses seconds of work: a test that kills it 20
times would take minutes. Everything between the model and the disk is the real thing.

    python -I quick_worker.py SECONDS_PER_BATCH

Recordings with "poison" in their name end the process, as a native library does that stumbles over them.
"""

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ml_runtime import __main__, books
from ml_runtime.models.registry import ModelProvider
from tests.ml_runtime.loudness import Loudness


class Fragile(Loudness):
    def prepare(self, sound, start_seconds, end_seconds):
        if "poison" in sound.path.name:
            # In this thread, as a real fault: one sent to the process lets this thread go on until another takes it.
            signal.raise_signal(signal.SIGSEGV)
        return super().prepare(sound, start_seconds, end_seconds)


def main(seconds_per_batch: float) -> int:
    model = Fragile(before_batch=lambda: time.sleep(seconds_per_batch))
    ModelProvider.load = lambda *_, **__: model  # type: ignore[method-assign]
    books.SHORTEST_PART_SECONDS = 0.1
    return __main__.main()


if __name__ == "__main__":
    os._exit(main(float(sys.argv[1])))
