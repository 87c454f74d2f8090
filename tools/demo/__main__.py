"""`python3 dev.py demo`: from recordings to ranked detections, through a sidecar driven over its stdio."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from schemas.audio import Clip, ClipParams, InlineBlob, SpectrogramSettings
from schemas.config import (
    CheckpointModel,
    Config,
    InferenceConfig,
    InputConfig,
    ModelConfig,
    OutputConfig,
    RibbitModel,
    SavedConfig,
    SaveParams,
    ValidateParams,
    Validation,
    ZooModel,
)
from schemas.detections import Detection, Sample, SampleParams
from schemas.env import CheckParams, Environment, EnvironmentChoice, SetupParams
from schemas.folders import Scan, ScanParams
from schemas.jobs import JobReport, RunParams
from schemas.scores import LoadParams, ScoreTable
from tools.demo.chorus import CALLS, PulsedCall, write_chorus
from tools.demo.client import Refused, SidecarClient
from tools.demo.sheet import Card, write_sheet
from tools.demo.terminal import Bar, say, table
from tools.paths import DEMO_OUTPUT, DEV_STATE, ROOT
from tools.which_sidecar import sidecar_command

ROWS = 12
TOAD = RibbitModel(
    class_name="toad", signal_band_hz=(2000, 2500), pulse_rate_hz=(13, 22), noise_bands_hz=((0, 200),), clip_seconds=5.0
)
CHORUS = "chorus.wav"


@dataclass(frozen=True)
class Ranked:
    """A detection, the class it is of, and its score, which is finite."""

    class_name: str
    detection: Detection
    score: float


class Demo:
    """One run of the demo: each method is one step, in the order of `run`."""

    def __init__(self, sidecar: SidecarClient, options: argparse.Namespace) -> None:
        self.sidecar = sidecar
        self.options = options
        self.model = chosen_model(options.model)
        self.output: Path = options.output

    def run(self) -> bool:
        """All steps; False when the calls of the made chorus were not found where they were put."""
        environment = self.set_up_environment()
        recordings = self.options.input or self.make_recordings(environment)
        self.scan(recordings)
        config_path = self.save_config(recordings)
        report = self.score(config_path, environment)
        ranked = self.rank(report)
        self.draw(ranked)
        self.show(ranked)
        return self.options.input is not None or self.options.model is not None or found_where_put(ranked)

    def set_up_environment(self) -> Environment:
        """env/check, and env/setup with a bar where it is not ready."""
        state = self.sidecar.call("env/check", CheckParams(), Environment)
        say(f"1. ML environment: {state.status}")
        archive = str(self.options.archive)
        state = self.sidecar.call("env/setup", SetupParams(archive=archive), Environment, Bar("setting up"))
        torch = state.packages.get("torch", "?")
        say(f"   Python {state.python_version}, torch {torch}, in {shown(state.folder)}")
        return state

    def make_recordings(self, environment: Environment) -> Path:
        """The recording that OpenSoundscape ships, and a chorus whose calls we know."""
        folder = self.output / "recordings"
        folder.mkdir(parents=True, exist_ok=True)
        write_chorus(folder / CHORUS)
        for sample in Path(environment.folder).rglob("opensoundscape/sample_data/*.wav"):
            shutil.copy(sample, folder / sample.name)
        return folder

    def scan(self, folder: Path) -> None:
        """folders/scan."""
        scan = self.sidecar.call("folders/scan", ScanParams(folder=str(folder), probe=True), Scan, Bar("scanning"))
        minutes = sum(file.duration_seconds or 0 for file in scan.files) / 60
        megabytes = scan.total_bytes / 1e6
        say(f"2. Recordings: {scan.count} in {shown(scan.folder)}, {minutes:.1f} minutes, {megabytes:.1f} MB")
        for skipped in scan.skipped:
            say(f"   left out: {shown(skipped.path)}: {skipped.reason}")

    def save_config(self, recordings: Path) -> str:
        """config/validate and config/save."""
        config = Config(
            name="demo",
            model=self.model,
            input=InputConfig(folders=(str(recordings),)),
            output=OutputConfig(folder=str(self.output)),
            inference=InferenceConfig(clip_overlap_seconds=0.0),
        )
        path = str(self.output / "config.json")
        saved = self.sidecar.call("config/save", SaveParams(path=path, config=config), SavedConfig)
        checked = self.sidecar.call("config/validate", ValidateParams(path=saved.path), Validation)
        for problem in checked.errors:
            say(f"   {problem.path}: {problem.message}")
        if not checked.valid:
            raise SystemExit(f"The config {shown(saved.path)} cannot be run.")
        say(f"3. Config: valid, saved as {shown(saved.path)}")
        return saved.path

    def score(self, config_path: str, environment: Environment) -> JobReport:
        """inference/run with a live bar."""
        say("4. Scoring")
        params = RunParams(
            config_path=config_path,
            environment=EnvironmentChoice(folder=environment.folder),
            trust=self.options.trust,
        )
        report = self.sidecar.call("inference/run", params, JobReport, Bar("scoring"))
        seconds = f"{report.elapsed_seconds:.1f} s, loading included"
        say(f"   {report.clips} clips of {report.files_done} recordings in {seconds}")
        for failure in report.failures:
            say(f"   not scored: {shown(failure.path)}: {failure.message}")
        return report

    def rank(self, report: JobReport) -> list[Ranked]:
        """scores/load and detections/sample: the highest scores of all classes."""
        scores = self.sidecar.call("scores/load", LoadParams(path=report.job_folder), ScoreTable, Bar("opening"))
        say(f"5. Scores: {scores.row_count} clips, {len(scores.classes)} classes in {shown(report.job_folder)}")
        classes = sorted((c for c in scores.classes if c.max is not None), key=lambda c: -(c.max or 0))[:ROWS]
        ranked = [
            Ranked(class_.name, detection, detection.score)
            for class_ in classes
            for detection in self.sidecar.call(
                "detections/sample", SampleParams(scores_id=scores.scores_id, class_=class_.name, count=ROWS), Sample
            ).detections
            if detection.score is not None
        ]
        return sorted(ranked, key=lambda one: -one.score)[:ROWS]

    def draw(self, ranked: list[Ranked]) -> None:
        """audio/clip: one spectrogram per detection."""
        folder = self.output / "spectrograms"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        cards = []
        for number, one in enumerate(ranked, 1):
            picture = folder / picture_name(number, one)
            picture.write_bytes(self.spectrogram(one.detection))
            cards.append(Card(picture, f"{number}. {one.class_name}  {one.score:.3g}", where(one.detection)))
        sheet = self.output / "detections.png"
        write_sheet(cards, sheet)
        say(f"6. Spectrograms of the top {len(ranked)} in {shown(folder)}, all in {shown(sheet)}")

    def spectrogram(self, detection: Detection) -> bytes:
        """The PNG of a detection's clip."""
        params = ClipParams(
            path=detection.path,
            start_seconds=detection.start_seconds,
            end_seconds=detection.end_seconds,
            spectrogram=SpectrogramSettings(
                width_pixels=640,
                height_pixels=320,
                colormap="magma",
                decibel_range="auto",
                frequency_range_hz=(0, 8000),
            ),
            include=("spectrogram",),
        )
        blob = self.sidecar.call("audio/clip", params, Clip).spectrogram
        assert isinstance(blob, InlineBlob)
        return blob.content

    def show(self, ranked: list[Ranked]) -> None:
        """The table of the top detections, and what was put into the chorus at that time."""
        say("")
        rows = [
            [
                str(number),
                f"{one.score:.3g}",
                one.class_name,
                Path(one.detection.path).name,
                f"{one.detection.start_seconds:.1f} - {one.detection.end_seconds:.1f} s",
                known_call(one.detection),
            ]
            for number, one in enumerate(ranked, 1)
        ]
        table(["#", "score", "class", "recording", "time", "what is there"], rows)


def chosen_model(name: str | None) -> ModelConfig:
    """RIBBIT for the demo's toads, a checkpoint where `name` is a file, otherwise a model of the zoo."""
    if name is None or name == "ribbit":
        return TOAD
    if Path(name).is_file():
        return CheckpointModel(path=str(Path(name).absolute()))
    if Path(name).name != name or Path(name).suffix:
        raise SystemExit(f"There is no model file {name}.")
    return ZooModel(name=name)


def known_call(detection: Detection) -> str:
    """Which of the calls that were put into the chorus this clip shows."""
    call = call_within(detection)
    if Path(detection.path).name != CHORUS:
        return ""
    return "noise only" if call is None else f"call put at {call.start_seconds:.1f} - {call.end_seconds:.1f} s"


def call_within(detection: Detection) -> PulsedCall | None:
    """The call of the chorus that overlaps this clip by more than half a second."""
    return next(
        (
            call
            for call in CALLS
            if min(call.end_seconds, detection.end_seconds) - max(call.start_seconds, detection.start_seconds) > 0.5
        ),
        None,
    )


def found_where_put(ranked: list[Ranked]) -> bool:
    """Whether the highest scores are the calls of the chorus, each one of them."""
    top = [one.detection for one in ranked[: len(CALLS)]]
    found = {call_within(detection) for detection in top if Path(detection.path).name == CHORUS}
    say("")
    if found == set(CALLS):
        say(f"The {len(CALLS)} highest scores are the {len(CALLS)} calls that were put into the chorus.")
        return True
    say("The calls that were put into the chorus are NOT the highest scores.")
    return False


def where(detection: Detection) -> str:
    """The recording and the time in it."""
    name = Path(detection.path).name
    return f"{name}  {detection.start_seconds:.1f} - {detection.end_seconds:.1f} s  {known_call(detection)}".rstrip()


def picture_name(number: int, one: Ranked) -> str:
    """A name from which a person knows what is in the picture."""
    recording = Path(one.detection.path).stem
    class_name = "".join(letter if letter.isalnum() else "-" for letter in one.class_name)
    return f"{number:02}_{class_name}_{recording}_{one.detection.start_seconds:.1f}s.png"


def shown(path: str | Path) -> str:
    """A path as short as it can be said."""
    path = Path(path)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def main() -> None:
    """Run the demo with the sidecar of this checkout."""
    parser = argparse.ArgumentParser(prog="dev.py demo", description=__doc__)
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--input", type=Path, metavar="FOLDER")
    parser.add_argument("--model", metavar="NAME|FILE")
    parser.add_argument("--trust", action="store_true")
    parser.add_argument("--output", type=Path, metavar="FOLDER", default=DEMO_OUTPUT)
    parser.add_argument("--state", type=Path, metavar="FOLDER", default=DEV_STATE)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options.output.mkdir(parents=True, exist_ok=True)
    folders = ["--state-folder", options.state / "state", "--cache-folder", options.state / "cache"]
    command = sidecar_command(*folders)
    log = options.output / "sidecar.log"
    try:
        with SidecarClient(command, stderr=log) as sidecar:
            succeeded = Demo(sidecar, options).run()
    except Refused as refused:
        hint = refused.error.data.hint if refused.error.data else None
        sys.exit(f"{refused}{f' {hint}' if hint else ''} (the log is {shown(log)})")
    except EOFError as error:
        sys.exit(f"{error} (the log is {shown(log)})")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0 if succeeded else 1)


if __name__ == "__main__":
    main()
