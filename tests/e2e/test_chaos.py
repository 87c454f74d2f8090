"""200 short recordings, a quarter of them broken; worker and sidecar are killed 20 times; nothing is lost or doubled.

The moments are drawn at random, but the same every time; what they meet is up to the machine. Only the model is a fake
(quick_worker.py), and only because of the seconds that the libraries of a real one take to start.
"""

from __future__ import annotations

import contextlib
import csv
import os
import random
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import psutil
import pytest

from rpc.call import Progress
from schemas.config import Config, InferenceConfig, InputConfig, OutputConfig
from schemas.env import EnvironmentChoice
from schemas.jobs import JobReport, ResumeParams, RunParams
from survey.job_folder import JobFolder
from survey.parts import read_parts
from tests.e2e.conftest import TOAD, quick_interpreter
from tests.sounds import noise, write_sound
from tools.demo.client import Refused, SidecarClient
from tools.paths import ROOT
from tools.which_sidecar import sidecar_command

pytestmark = [pytest.mark.ml, pytest.mark.soak, pytest.mark.skipif(os.name == "nt", reason="signals")]

KILLS = 20
SEED = 20240512
PATIENCE_SECONDS = 300.0
AS_ANYBODY = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
"""Root reads files whatever their mode, unless it is run like this."""


# ---------------------------------------------------------------- recordings

GOOD: list[tuple[str, int, int, str | None]] = [
    ("plain.wav", 8000, 1, None),
    ("stereo.wav", 44100, 2, "PCM_24"),
    ("float.wav", 16000, 1, "FLOAT"),
    ("eight.flac", 24000, 8, None),
    ("bat.wav", 384000, 1, None),
    ("song.ogg", 32000, 1, None),
    ("song.mp3", 32000, 1, None),
]


def make_survey(folder: Path, readable_by_all: bool) -> dict[str, set[str]]:
    """Write 200 files. Names by what is to become of them: "gone" are deleted in mid-run."""
    folder.mkdir()
    made: dict[str, set[str]] = {"good": set(), "partly": set(), "broken": set(), "gone": set()}
    for number in range(150):
        kind, rate, channels, subtype = GOOD[number % len(GOOD)]
        path = folder / f"{number:03} {kind}"
        write_sound(path, noise(int(rate * (0.3 + 0.02 * number)), channels, seed=number), rate, subtype)
        made["good"].add(path.name)
    for number in range(150, 155):
        made["good"].add(mislabelled(folder / f"{number:03} mislabelled.flac", number).name)
    for number in range(155, 160):
        made["partly"].add(half_not_a_number(folder / f"{number:03} half.wav", number).name)
    broken: list[Callable[[Path], None]] = [
        truncated,
        empty,
        text,
        not_a_number,
        *([] if readable_by_all else [locked]),
    ]
    for number in range(160, 195):
        path = folder / f"{number:03} broken.wav"
        broken[number % len(broken)](path)
        made["broken"].add(path.name)
    for number in range(195, 200):
        path = write_sound(folder / f"{number:03} gone.wav", noise(8000, seed=number), 8000)
        made["gone"].add(path.name)
    return made


def mislabelled(path: Path, seed: int) -> Path:
    write_sound(path.with_suffix(".wav"), noise(12000, seed=seed), 8000).rename(path)
    return path


def half_not_a_number(path: Path, seed: int) -> Path:
    samples = noise(8000 * 4, seed=seed)
    samples[8000 * 2 + 5] = np.nan
    return write_sound(path, samples, 8000, "FLOAT")


def truncated(path: Path) -> None:
    write_sound(path, noise(8000, seed=1), 8000)
    path.write_bytes(path.read_bytes()[:30])


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text("These are notes, whatever the name says. " * 50)


def not_a_number(path: Path) -> None:
    write_sound(path, np.full((8000, 1), np.nan, np.float32), 8000, "FLOAT")


def locked(path: Path) -> None:
    write_sound(path, noise(8000, seed=1), 8000)
    path.chmod(0)


# ---------------------------------------------------------------- the ordeal


class Ordeal:
    """One job that is run and resumed until all kills are spent, and then to its end."""

    def __init__(self, folder: Path, prefix: tuple[str, ...], environment: EnvironmentChoice, kills: int) -> None:
        self.folder = folder
        self.prefix = prefix
        self.environment = environment
        chance = random.Random(SEED)
        victims = ["worker", "sidecar"] * (kills // 2)
        chance.shuffle(victims)
        self.kills = [(victim, chance.uniform(0.0, 0.7)) for victim in victims]
        self.killed: Counter[str] = Counter()
        self.haste = 1.0
        self.job_folder: str | None = None
        self.at_first_kill: Callable[[], None] = lambda: None
        self.sidecar: SidecarClient | None = None
        self.armed: threading.Timer | None = None

    def run(self, config: Config) -> JobReport:
        """Until a run ends by itself with no kill left, and with no recording under suspicion for a kill."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            assert time.monotonic() < deadline, f"{len(self.kills)} kills are left"
            report = self.run_once(config)
            if report is not None and self.kills:
                # Everything is scored; what is broken is tried again in each run, and that takes no time.
                self.haste /= 2
            elif report is not None and not any(failed.code == 1008 for failed in report.failures):
                return report

    def run_once(self, config: Config) -> JobReport | None:
        """None where the sidecar was killed, or the worker once too often."""
        folders = ["--state-folder", self.folder / "state", "--cache-folder", self.folder / "cache"]
        command = [*self.prefix, *sidecar_command(*folders)]
        with SidecarClient(command, stderr=self.folder / "sidecar.log", cwd=ROOT) as self.sidecar:
            method, params = "inference/run", RunParams(config=config, environment=self.environment)
            if self.job_folder is not None:
                method, params = "jobs/resume", ResumeParams(job_folder=self.job_folder, environment=self.environment)
            try:
                return self.sidecar.call(method, params, JobReport, self.on_progress)
            except EOFError:
                return None
            except Refused as refused:
                assert refused.error.code == 1008, refused
                return None
            finally:
                self.disarm()

    def on_progress(self, progress: Progress) -> None:
        self.job_folder = progress.job_folder or self.job_folder
        if progress.done is not None and self.kills and self.armed is None:
            victim, delay = self.kills[-1]
            self.armed = threading.Timer(delay * self.haste, self.kill, (victim,))
            self.armed.start()

    def kill(self, victim: str) -> None:
        assert self.sidecar is not None
        if not self.killed:
            self.at_first_kill()
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.sidecar.pid)
            for condemned in [process] if victim == "sidecar" else process.children()[:1]:
                condemned.kill()
                self.kills.pop()
                self.killed[victim] += 1
        self.armed = None

    def disarm(self) -> None:
        timer, self.armed = self.armed, None
        if timer is not None:
            timer.cancel()
            timer.join()


def job_config(survey: Path, output: Path) -> Config:
    # Any config will do: the worker has a model of its own.
    return Config(
        name="chaos",
        model=TOAD,
        input=InputConfig(folders=(str(survey),)),
        output=OutputConfig(folder=str(output)),
        inference=InferenceConfig(workers=2),
    )


def failures(job_folder: str) -> dict[str, tuple[str, str]]:
    """By recording: code and message, without what was wrong with the first clip that could not be read.

    That is in the ledger alone, and is lost where a kill comes between a part and the ledger.
    """
    with JobFolder(Path(job_folder)).failures_path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return {Path(row["file"]).name: (row["code"], row["message"].partition(" The first: ")[0]) for row in rows}


def scores(job_folder: str) -> list[tuple[object, ...]]:
    path = JobFolder(Path(job_folder)).predictions_path
    return duckdb.sql(f"SELECT * FROM read_csv('{path}', delim = ',', header = true)").fetchall()


def clips_in_parts(job_folder: str) -> Counter[tuple[str, int]]:
    """How many times each clip is in a part, by its recording and number."""
    parts = read_parts(JobFolder(Path(job_folder)).scores_path)
    held = [scored for part in parts for scored in part.header.ranges]
    return Counter(
        (Path(scored.recording.file).name, scored.first + index) for scored in held for index in range(scored.count)
    )


@pytest.fixture
def prefix() -> tuple[str, ...]:
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") and subprocess.run([*AS_ANYBODY, "true"], check=False).returncode == 0:
        return AS_ANYBODY
    return ("env",)  # then no file can be made unreadable


def test_nothing_is_lost_or_doubled_by_twenty_kills(ml_python: Path, prefix: tuple[str, ...], tmp_path: Path) -> None:
    # Arrange
    survey = tmp_path / "survey"
    made = make_survey(survey, readable_by_all=prefix == ("env",))
    undisturbed = Ordeal(tmp_path, prefix, quick_interpreter(tmp_path, ml_python, 0.0), kills=0)
    expected = undisturbed.run(job_config(survey, tmp_path / "undisturbed"))
    ordeal = Ordeal(tmp_path, prefix, quick_interpreter(tmp_path, ml_python, 0.06), KILLS)

    def delete_some() -> None:
        for name in made["gone"]:
            (survey / name).unlink()

    ordeal.at_first_kill = delete_some

    # Act
    report = ordeal.run(job_config(survey, tmp_path / "output"))

    # Assert: every readable recording is scored exactly once, as without the kills
    assert ordeal.killed == {"worker": KILLS // 2, "sidecar": KILLS // 2}
    assert sum(map(len, made.values())) == report.files_total == expected.files_total == 200
    clips = clips_in_parts(report.job_folder)
    assert set(clips.values()) == {1}
    assert {name for name, _ in clips} == made["good"] | made["partly"]
    gone = {str(survey / name) for name in made["gone"]}
    assert scores(report.job_folder) == [row for row in scores(expected.job_folder) if row[0] not in gone]

    # Assert: every broken one is reported with its reason, as without the kills
    told, without_kills = failures(report.job_folder), failures(expected.job_folder)
    assert set(told) == made["broken"] | made["partly"] | made["gone"]
    assert {told[name][0] for name in made["gone"]} == {"1001"}
    assert {name: why for name, why in told.items() if name not in made["gone"]} == without_kills
    assert Counter(code for code, _ in without_kills.values()) == expected_codes(made, locked_too=prefix != ("env",))
    assert report.files_failed == len(made["broken"]) + len(made["gone"])


def expected_codes(made: dict[str, set[str]], *, locked_too: bool) -> Counter[str]:
    refused = len(made["broken"]) // 5 if locked_too else 0
    return Counter(
        {"1002": len(made["broken"]) + len(made["partly"]) - refused} | ({"1010": refused} if refused else {})
    )
