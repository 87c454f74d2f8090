"""scores/* and detections/* over the pipe of a real sidecar: bad input is refused by name, and all else goes on."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from rpc.methods import Params
from schemas.detections import Render, Sample, SampleParams
from schemas.scores import (
    Exported,
    ExportParams,
    Histogram,
    HistogramParams,
    LoadParams,
    Page,
    PageParams,
    ScoreTable,
    Summary,
    SummaryParams,
)
from tests.e2e.conftest import start_sidecar
from tools.demo.chorus import write_chorus
from tools.demo.client import Refused, SidecarClient

HEADER = "file,start_time,end_time,Strix aluco,toad\n"
OWL = "Strix aluco"


def load(sidecar: SidecarClient, path: Path, content: str | bytes, audio_root: Path | None = None) -> ScoreTable:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    root = None if audio_root is None else str(audio_root)
    return sidecar.call("scores/load", LoadParams(path=str(path), audio_root=root), ScoreTable)


def test_bad_tables_and_questions_are_refused_by_name_and_the_rest_goes_on(
    warm_sidecar: SidecarClient, tmp_path: Path
) -> None:
    table = load(warm_sidecar, tmp_path / "good.csv", HEADER + "/a.wav,0,3,1,-2.5\n/a.wav,3,6,x,1\n/b.wav,0,3,2,\n")
    assert [(problem.row, problem.message) for problem in table.problems] == [
        (3, "'x' in column 'Strix aluco' is not a number.")
    ]
    with pytest.raises(Refused, match="no file or folder") as missing:
        warm_sidecar.call("scores/load", LoadParams(path=str(tmp_path / "none.csv")), ScoreTable)
    assert missing.value.error.data is not None
    for content, words in (
        ("", "t.csv is empty"),
        (HEADER, "t.csv holds a header, but no rows"),
        ("name,place\nann,here\n", "t.csv fit no format.*`name`, `place`"),
        (HEADER + "/a.wav,0,3,good,bad\n", "t.csv holds no column of numbers.*row 2, column `Strix aluco`"),
        (HEADER.replace("toad", OWL) + "/a.wav,0,3,1,2\n", r"t.csv.*`Strix aluco` \(columns 4 and 5\)"),
        (b"RIFF\0\0\1\2WAVEfmt " * 9, "t.csv is a binary file"),
        (b"PAR1" + b"\x15\x04" * 50, "t.csv is a damaged Parquet file"),
    ):
        with pytest.raises(Refused, match=words):
            load(warm_sidecar, tmp_path / "t.csv", content)

    def refused(method: str, params: Params, result: type, words: str) -> None:
        with pytest.raises(Refused, match=words) as caught:
            warm_sidecar.call(method, params, result)
        if "no class" in words:
            assert caught.value.error.data is not None
            assert "Did you mean `Strix aluco`?" in str(caught.value.error.data.hint)

    there, near, swapped = table.scores_id, "Strix alucco", r"\$\.(scoreR|r)ange: the lower end \(3\)"
    refused("scores/page", PageParams(scores_id=there, class_=near), Page, "good.csv has no class `Strix alucco`")
    refused("scores/histogram", HistogramParams(scores_id=there, class_=near), Histogram, "has no class")
    refused("scores/summary", SummaryParams(scores_id=there, by="file", class_=near), Summary, "has no class")
    refused("detections/sample", SampleParams(scores_id=there, class_=near), Sample, "has no class")
    refused("scores/page", PageParams(scores_id=there, score_range=(3, 1)), Page, swapped)
    refused("scores/histogram", HistogramParams(scores_id=there, class_=OWL, range=(3, 1)), Histogram, swapped)
    refused("detections/sample", SampleParams(scores_id=there, class_=OWL, score_range=(3, 1)), Sample, swapped)
    export = ExportParams(scores_id=there, path=str(tmp_path / "x.csv"), format="csv", score_range=(3, 1))
    refused("scores/export", export, Exported, swapped)

    assert not (tmp_path / "x.csv").exists()
    assert warm_sidecar.call("scores/page", PageParams(scores_id=there), Page).total == 3


def test_detections_are_rendered_where_their_recordings_are_now(warm_sidecar: SidecarClient, tmp_path: Path) -> None:
    names = ["S1/24E144085F256457_20240512_053000.WAV", "S2/SMM03873_20240513_235958.wav"]
    for name in names:
        (tmp_path / "drive" / name).parent.mkdir(parents=True)
    write_chorus(tmp_path / "drive" / names[0])
    shutil.copy(tmp_path / "drive" / names[0], tmp_path / "drive" / names[1])
    lines = [
        f"/old/{names[0]},3,6,9,\n",
        f"/old/{names[1]},0,3,8,\n",
        f"/old/{names[1]},3,6,7,\n",
        "/old/gone.wav,0,3,6,\n",
    ]

    table = load(warm_sidecar, tmp_path / "t.csv", HEADER + "".join(lines), tmp_path / "drive")
    render = Render(include=("spectrogram",))
    params = SampleParams(scores_id=table.scores_id, class_=OWL, group_by="site", render=render)
    found = warm_sidecar.call("detections/sample", params, Sample).detections
    dates = warm_sidecar.call("scores/summary", SummaryParams(scores_id=table.scores_id, by="date"), Summary)

    assert table.missing_file_count == 1
    assert [found[0].path, found[1].path] == [str(tmp_path / "drive" / name) for name in names]
    assert [d.clip is not None and d.clip.spectrogram is not None for d in found] == [True, True, True, False]
    assert found[3].error is not None
    assert "gone.wav" in found[3].error.message
    assert [(group.key, group.count) for group in dates.groups] == [
        ("2024-05-12", 1), ("2024-05-13", 1), ("2024-05-14", 1), (None, 1),
    ]  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process")
def test_an_export_that_finds_no_room_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit to the size of files stands for a full disk: both end a write half way."""
    import resource

    rows = "".join(f"/recordings/{index}.wav,0,3,{index / 7},{index / 3}\n" for index in range(12_000))
    with start_sidecar(tmp_path / "sidecar") as sidecar:
        table = load(sidecar, tmp_path / "t.csv", HEADER + rows)
        resource.prlimit(sidecar.pid, resource.RLIMIT_FSIZE, (1 << 17, resource.RLIM_INFINITY))
        for kind in ("csv", "raven"):
            params = ExportParams(scores_id=table.scores_id, path=str(tmp_path / f"out.{kind}"), format=kind)
            with pytest.raises(Refused, match=rf"out\.{kind}"):
                sidecar.call("scores/export", params, Exported)

        assert sidecar.call("scores/page", PageParams(scores_id=table.scores_id), Page).total == 24_000

    assert [path.name for path in tmp_path.iterdir() if path.name not in ("sidecar", "t.csv")] == []
