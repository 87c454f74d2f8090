"""One example of params for every method: for the protocol page, the OpenRPC document, and a test that sends it.

Paths are relative to a folder that holds `recordings/dawn.wav`, `survey.json` (a config) and `predictions.csv`;
`ml/` is an ML environment. `<scoresId>` and `<jobId>` stand for what an earlier answer gave.
"""

from __future__ import annotations

from typing import Any

_CONFIG: dict[str, Any] = {
    "name": "spring survey",
    "model": {
        "source": "ribbit",
        "className": "toad",
        "signalBandHz": [2000, 2500],
        "pulseRateHz": [13, 22],
        "noiseBandsHz": [[0, 200]],
    },
    "input": {"folders": ["recordings"]},
    "output": {"folder": "results"},
}
_ML = {"python": "ml/bin/python"}

EXAMPLES: dict[str, dict[str, Any] | None] = {
    "health": None,
    "rpc.discover": None,
    "audio/info": {"path": "recordings/dawn.wav"},
    "audio/clip": {
        "path": "recordings/dawn.wav",
        "startSeconds": 10.0,
        "endSeconds": 13.0,
        "spectrogram": {"colormap": "magma", "frequencyRangeHz": [0, 8000], "widthPixels": 400},
        "audio": {"highpassHz": 200},
    },
    "audio/clips": {
        "clips": [
            {"clipId": "first", "path": "recordings/dawn.wav", "startSeconds": 10.0, "endSeconds": 13.0},
            {"clipId": "second", "path": "recordings/missing.wav", "startSeconds": 0.0, "endSeconds": 3.0},
        ],
        "include": ["spectrogram"],
        "delivery": "file",
    },
    "cache/clear": None,
    "folders/scan": {"folder": "recordings", "probe": True},
    "config/save": {"path": "saved.json", "config": _CONFIG},
    "config/load": {"path": "survey.json"},
    "config/validate": {"config": {**_CONFIG, "inference": {"batchSize": "auto"}}, "files": ["recordings/dawn.wav"]},
    "env/check": {},
    "env/setup": {"archive": "dipper_pytorch_env.tar.gz"},
    "env/remove": {"folder": "old-environment"},
    "models/list": {"environment": _ML},
    "models/prepare": {
        "model": {"source": "zoo", "name": "RanaSierraeCNN"},
        "environment": _ML,
        "workDoneToken": "w-1",
    },
    "models/import": {"path": "weights", "environment": _ML},
    "inference/run": {"config": _CONFIG, "environment": _ML, "workDoneToken": "run-1"},
    "jobs/resume": {"jobId": "<jobId>", "environment": _ML},
    "jobs/list": {"state": "completed", "limit": 10},
    "jobs/get": {"jobId": "<jobId>"},
    "jobs/cancel": {"jobId": "<jobId>"},
    "jobs/log": {"jobId": "<jobId>", "tail": 20},
    "jobs/failures": {"jobId": "<jobId>"},
    "jobs/remove": {"jobId": "<jobId>", "deleteFiles": True},
    "scores/load": {"path": "predictions.csv"},
    "scores/page": {"scoresId": "<scoresId>", "class": "toad", "sort": "score", "limit": 10},
    "scores/histogram": {"scoresId": "<scoresId>", "class": "toad", "bins": 5},
    "scores/summary": {"scoresId": "<scoresId>", "by": "file", "threshold": 0.5},
    "scores/export": {"scoresId": "<scoresId>", "path": "export.parquet", "format": "parquet", "scoreRange": [0.5, 1]},
    "detections/sample": {"scoresId": "<scoresId>", "class": "toad", "count": 3, "scoreRange": [0, 1]},
    "detections/export": {
        "scoresId": "<scoresId>",
        "folder": "toads",
        "class": "toad",
        "scoreRange": [0.5, 1],
        "include": ["audio", "spectrogram"],
        "soundFormat": "flac",
        "padBeforeSeconds": 1.0,
    },
    "scores/close": {"scoresId": "<scoresId>"},
}
