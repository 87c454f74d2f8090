"""rpc.decoders: structs that are decoded for the first time on several threads at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FIRST_USE_ON_EIGHT_THREADS = """
import sys, threading
sys.path.insert(0, sys.argv[1])
sys.setswitchinterval(1e-6)
import msgspec
from rpc.decoders import decoder_for
from schemas.config import Config
from schemas.jobs import RunParams

config = (b'{"model":{"source":"ribbit","className":"t","signalBandHz":[1,2],"pulseRateHz":[1,2]},'
          b'"input":{},"output":{"folder":"x"}}')
together = threading.Barrier(8)

def decode(number):
    together.wait()
    for _ in range(5):
        if number % 3 == 0:
            decoder_for(Config).decode(config)
        elif number % 3 == 1:
            decoder_for(RunParams).decode(b'{"config":' + config + b'}')
        else:
            decoder_for(Config)
            msgspec.convert(msgspec.json.decode(config), Config)

threads = [threading.Thread(target=decode, args=(number,)) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_first_use_on_several_threads_does_not_crash():
    # A crash comes by chance, one time in five without the lock; hence several processes.
    codes = [
        subprocess.run([sys.executable, "-c", FIRST_USE_ON_EIGHT_THREADS, str(ROOT)], capture_output=True).returncode
        for _ in range(12)
    ]

    assert codes == [0] * 12
