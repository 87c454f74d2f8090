"""Every method there is. A server looks names up here; the generators walk it.

The structs are named as strings, because a sidecar answers its first request before it has imported them
all; a test resolves every one.
"""

from __future__ import annotations

from rpc import errors
from rpc.methods import Method

_FILE = (errors.FileMissing, errors.PermissionRefused)
_SOUND = (*_FILE, errors.DecodeFailed)
_WRITE = (errors.PermissionRefused, errors.DiskFull)
_RUN = (
    errors.ConfigInvalid,
    errors.EnvironmentNotReady,
    errors.ModelNotFound,
    errors.ModelLoadFailed,
    errors.WorkerCrashed,
    errors.OutOfMemory,
    *_FILE,
    errors.DiskFull,
    errors.InputGone,
)

METHODS: tuple[Method, ...] = (
    Method("health", "schemas.health", "NoParams", "Health", quick=True),
    Method("rpc.discover", "schemas.discover", "NoParams", "Document"),
    Method("audio/info", "schemas.audio", "InfoParams", "RecordingInfo", _SOUND),
    Method("audio/clip", "schemas.audio", "ClipParams", "Clip", _SOUND),
    Method("audio/clips", "schemas.audio", "ClipsParams", "Clips"),
    Method("cache/clear", "schemas.audio", "NoParams", "CacheCleared"),
    Method("folders/scan", "schemas.folders", "ScanParams", "Scan", _FILE),
    Method("config/save", "schemas.config", "SaveParams", "SavedConfig", (errors.ConfigInvalid, *_WRITE)),
    Method("config/load", "schemas.config", "LoadParams", "LoadedConfig", (errors.ConfigInvalid, *_FILE)),
    Method("config/validate", "schemas.config", "ValidateParams", "Validation", _FILE),
    Method("env/check", "schemas.env", "CheckParams", "Environment"),
    Method(
        "env/setup",
        "schemas.env",
        "SetupParams",
        "Environment",
        (errors.ArchiveInvalid, errors.DownloadFailed, *_FILE, errors.DiskFull),
    ),
    Method("env/remove", "schemas.env", "RemoveParams", "RemovedEnvironment", (errors.PermissionRefused,)),
    Method("models/list", "schemas.models", "ListParams", "ModelList", (errors.EnvironmentNotReady,)),
    Method(
        "models/prepare",
        "schemas.models",
        "PrepareParams",
        "PreparedModel",
        (
            errors.EnvironmentNotReady,
            errors.ModelNotFound,
            errors.ModelLoadFailed,
            errors.ConfigInvalid,
            errors.Busy,
            *_FILE,
            errors.DiskFull,
        ),
    ),
    Method(
        "models/import",
        "schemas.models",
        "ImportParams",
        "ImportedWeights",
        (errors.EnvironmentNotReady, *_FILE, *_WRITE),
    ),
    Method("inference/run", "schemas.jobs", "RunParams", "JobReport", _RUN),
    Method("jobs/resume", "schemas.jobs", "ResumeParams", "JobReport", (errors.JobNotFound, errors.Busy, *_RUN)),
    Method("jobs/list", "schemas.jobs", "ListParams", "JobList"),
    Method("jobs/get", "schemas.jobs", "GetParams", "Job", (errors.JobNotFound,)),
    Method("jobs/cancel", "schemas.jobs", "CancelParams", "Job", (errors.JobNotFound,)),
    Method("jobs/log", "schemas.jobs", "LogParams", "JobLog", (errors.JobNotFound, *_FILE)),
    Method("jobs/failures", "schemas.jobs", "FailuresParams", "JobFailures", (errors.JobNotFound, *_FILE)),
    Method("jobs/remove", "schemas.jobs", "RemoveParams", "Removed", (errors.JobNotFound, errors.Busy, *_WRITE)),
    Method("scores/load", "schemas.scores", "LoadParams", "ScoreTable", (errors.FormatUnknown, *_FILE)),
    Method("scores/page", "schemas.scores", "PageParams", "Page", (errors.ScoresNotFound,)),
    Method("scores/histogram", "schemas.scores", "HistogramParams", "Histogram", (errors.ScoresNotFound,)),
    Method("scores/summary", "schemas.scores", "SummaryParams", "Summary", (errors.ScoresNotFound,)),
    Method(
        "scores/export", "schemas.scores", "ExportParams", "Exported", (errors.ScoresNotFound, *_FILE, errors.DiskFull)
    ),
    Method("detections/sample", "schemas.detections", "SampleParams", "Sample", (errors.ScoresNotFound,)),
    Method(
        "detections/export",
        "schemas.detections",
        "ExportParams",
        "ExportedDetections",
        (errors.ScoresNotFound, errors.FileMissing, *_WRITE),
    ),
    Method("scores/close", "schemas.scores", "CloseParams", "None", (errors.ScoresNotFound,)),
)

WORKER_METHODS: tuple[Method, ...] = (
    Method("worker/describe", "schemas.worker", "DescribeParams", "WorkerDescription"),
    Method("worker/models", "schemas.worker", "ModelsParams", "ModelList"),
    Method(
        "worker/check",
        "schemas.worker",
        "CheckModelParams",
        "None",
        (errors.ModelNotFound, errors.ModelLoadFailed, errors.ConfigInvalid, errors.EnvironmentNotReady),
    ),
    Method("worker/prepare", "schemas.worker", "PrepareModelParams", "PreparedModel", (errors.Busy, *_RUN)),
    Method("worker/import", "schemas.worker", "ImportWeightsParams", "ImportedWeights", (*_FILE, *_WRITE)),
    Method("worker/run", "schemas.worker", "RunJobParams", "JobOutcome", _RUN),
)
