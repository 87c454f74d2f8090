// Generated from schemas/ by `python3 dev.py contract`. Do not edit.
import { ProgressType, RequestType, RequestType0 } from "vscode-jsonrpc";

/** Seconds, Hz and decibels are numbers; paths come back absolute. */
export type ProgressToken = number | string;

/** Welcome in the params of every method. */
export interface Tokens {
  /** Asks for `$/progress` under this token. */
  workDoneToken?: ProgressToken | null;
  /** Asks for the rows of long lists as they come. */
  partialResultToken?: ProgressToken | null;
}

/**
 * audio/clip: one clip, from `startSeconds` to `endSeconds`, padded with silence outside the recording.
 *
 * It is an hour long at most, and holds at most 268,435,456 samples. Each edge is rounded to the nearest sample.
 */
export interface AudioClipParams extends Tokens {
  path: string;
  startSeconds: number;
  endSeconds: number;
  spectrogram?: SpectrogramSettings;
  audio?: AudioSettings;
  include?: ReadonlyArray<"audio" | "spectrogram">; // default ["spectrogram","audio"]
  delivery?: "file" | "inline"; // default "inline"
}

/**
 * audio/clips: many clips with the same settings, each as audio/clip gives it. At most 2,000 at once.
 *
 * With `partialResultToken` the clips are streamed in order, each as soon as it and those before it are ready, and
 * left out of the result.
 */
export interface AudioClipsParams extends Tokens {
  clips: ReadonlyArray<ClipRequest>;
  spectrogram?: SpectrogramSettings;
  audio?: AudioSettings;
  include?: ReadonlyArray<"audio" | "spectrogram">; // default ["spectrogram","audio"]
  delivery?: "file" | "inline"; // default "inline"
}

/**
 * audio/info: what is known of the recording at `path`.
 */
export interface AudioInfoParams extends Tokens {
  path: string;
}

/**
 * How the sound of a clip is prepared. Only `channel` concerns the spectrogram too.
 *
 * `channel` (0-based) picks one channel, otherwise all are averaged. `highpassHz` and `lowpassHz` filter
 * (Butterworth of order 4, forwards and backwards), then `sampleRate` (Hz) resamples, then `normalize` scales the
 * peak to full scale. The sound is a WAV of 16 bits.
 */
export interface AudioSettings {
  channel?: number | null;
  normalize?: boolean; // default true
  sampleRate?: number | null;
  highpassHz?: number | null;
  lowpassHz?: number | null;
}

/**
 * A clip of a batch: the fields of Clip, or `error` instead of all of them.
 */
export interface BatchClip {
  clipId?: string | null;
  path?: string | null;
  startSeconds?: number | null;
  endSeconds?: number | null;
  durationSeconds?: number | null;
  sampleRate?: number | null;
  paddedSeconds?: [number, number] | null;
  frequencyRangeHz?: [number, number] | null;
  decibelRange?: [number, number] | null;
  spectrogram?: InlineBlob | FileBlob | null;
  audio?: InlineBlob | FileBlob | null;
  error?: ErrorObject | null;
}

/**
 * cache/clear: rendered clips were forgotten. `freedBytes` is the room on the disk that they took.
 */
export interface CacheCleared {
  freedBytes: number;
}

/**
 * What the server can do: `methods` lists every method it answers.
 */
export interface Capabilities {
  methods: ReadonlyArray<string>;
  progress: boolean;
  cancellation: boolean;
  partialResults: boolean;
  blobDelivery: ReadonlyArray<string>;
}

/**
 * A model file saved by OpenSoundscape; or bare weights of a torch network (a state_dict).
 *
 * Bare weights say nothing of themselves, so all four of the others must be given, and only then:
 * `architecture` is one of OpenSoundscape's ("resnet18", ...), `classes` are in the order of the network's outputs,
 * `sampleRate` (Hz) and `clipSeconds` are what it was trained with. Clips become OpenSoundscape's default
 * spectrograms.
 */
export interface CheckpointModel {
  source: "checkpoint";
  path: string;
  architecture?: string | null;
  classes?: ReadonlyArray<string> | null;
  sampleRate?: number | null;
  clipSeconds?: number | null;
}

/**
 * A detection to export. `class` and `score` go into the name of its files and into the table.
 */
export interface ChosenDetection {
  path: string;
  startSeconds: number;
  endSeconds: number;
  class?: string | null;
  score?: number | null;
}

/**
 * A class: how many scores it has, and their range. NaN scores are not counted.
 */
export interface ClassSummary {
  name: string;
  count: number;
  min: number | null;
  max: number | null;
  mean: number | null;
}

/**
 * Who connects.
 */
export interface ClientInfo {
  name: string;
  version?: string | null;
}

/**
 * A clip. `paddedSeconds` is the silence added [before, after]; `durationSeconds` counts it.
 *
 * `sampleRate` (Hz) is that of the audio delivered; `frequencyRangeHz` and `decibelRange` are what the
 * spectrogram's edges and colours stand for.
 */
export interface Clip {
  path: string;
  startSeconds: number;
  endSeconds: number;
  durationSeconds: number;
  sampleRate: number;
  paddedSeconds: [number, number];
  frequencyRangeHz: [number, number] | null;
  decibelRange: [number, number] | null;
  spectrogram: InlineBlob | FileBlob | null;
  audio: InlineBlob | FileBlob | null;
}

/**
 * One clip of a batch. `clipId` is the client's own; it comes back with the result.
 */
export interface ClipRequest {
  path: string;
  startSeconds: number;
  endSeconds: number;
  clipId?: string | null;
}

/**
 * The clips in the order of the request. `failed` counts those with an error, streamed ones too.
 */
export interface Clips {
  clips: ReadonlyArray<BatchClip>;
  failed: number;
}

/**
 * One inference run. Everything but `model`, `input` and `output.folder` has a default.
 */
export interface Config {
  model: ZooModel | CheckpointModel | OnnxModel | PythonModel | RibbitModel | CwtModel;
  input: InputConfig;
  output: OutputConfig;
  schemaVersion?: 1; // default 1
  name?: string; // default "job"
  inference?: InferenceConfig;
}

/**
 * config/load: read a config file, of an older form too.
 */
export interface ConfigLoadParams extends Tokens {
  path: string;
}

/**
 * A fault, at a place like `$.inference.batchSize`.
 */
export interface ConfigProblem {
  path: string;
  message: string;
}

/**
 * config/save: validate `config` and write it to `path`.
 */
export interface ConfigSaveParams extends Tokens {
  path: string;
  config: Config;
  overwrite?: boolean; // default true
}

/**
 * config/validate: check a config (as an object, or the file at `path`) and/or audio files.
 *
 * `config` is taken as it is, so that the answer can name every fault instead of being an error.
 */
export interface ConfigValidateParams extends Tokens {
  config?: Record<string, unknown>;
  path?: string | null;
  files?: ReadonlyArray<string> | null;
}

/**
 * OpenSoundscape's detector of accelerating pulses, `detectPeakSequenceCwt`, with its parameters.
 *
 * The defaults find the drumming of Ruffed Grouse (Lapp et al. 2022, Wildlife Society Bulletin). Clips are windows of
 * `windowLen` seconds; what remains at the end of a recording is left out. In each, sound resampled to `sampleRate`
 * (Hz) goes through a wavelet at `centerFrequency` (Hz); peaks of at least `peakThreshold` (0..1), at least
 * `peakSeparation` seconds apart, are searched for sequences: `dtRange` bounds the seconds between two peaks,
 * `dyRange` the change of that, `d2yRange` the change of the change, `maxSkip` the peaks passed over in between;
 * `durationRange` (seconds) and `pointsRange` (peaks) bound the sequence. The score of a clip is the number of
 * points in its longest sequence, 0 without any.
 */
export interface CwtModel {
  source: "cwt";
  className: string;
  sampleRate?: number; // default 400
  windowLen?: number; // default 10.0
  centerFrequency?: number; // default 50.0
  wavelet?: string; // default "morl"
  peakThreshold?: number | null; // default 0.2
  peakSeparation?: number | null; // default 0.0375
  dtRange?: [number, number]; // default [0.05,0.8]
  dyRange?: [number, number]; // default [-0.2,0.0]
  d2yRange?: [number, number]; // default [-0.05,0.15]
  maxSkip?: number; // default 3
  durationRange?: [number, number]; // default [1.0,15.0]
  pointsRange?: [number, number]; // default [9,100]
}

/**
 * A clip and its score. `row` is its row in the table (0-based); `clip` or `error` where rendering was asked.
 */
export interface Detection {
  path: string;
  startSeconds: number;
  endSeconds: number;
  score: number | null;
  row: number;
  clip: Clip | null;
  error: ErrorObject | null;
}

/**
 * detections/export: the clips of detections as files in `folder`, which is made if only it is missing.
 *
 * Which ones: those of an open table (`scoresId`) by `class` (all, without one) and `scoreRange`, the highest
 * `limit` of them (without a limit at most 100,000 may be in range); or those listed in `detections`.
 *
 * A clip reaches from `padBeforeSeconds` before the detection to `padAfterSeconds` after it; what lies outside
 * the recording is silence. Its files are called after class, score, recording and the detection's start:
 * "Setophaga pusilla_0.87_S1_20240512_053000_723.5s.wav", with a number behind it where that is taken, for no file is
 * ever replaced. Characters that some system does not allow in names become "_", long names are cut.
 *
 * The sound has 16 bits and one channel. With a `timeExpansion` of 10 it is written to be played ten times as slow:
 * its sample rate is a tenth, rounded to whole Hz (below 1 it plays faster). Spectrograms show true time and
 * frequency.
 *
 * A row that stands for a whole file gives its first `secondsWhenWholeFile` seconds.
 */
export interface DetectionsExportParams extends Tokens {
  folder: string;
  scoresId?: string | null;
  class?: string | null;
  scoreRange?: [number, number] | null;
  limit?: number | null;
  detections?: ReadonlyArray<ChosenDetection> | null;
  include?: ReadonlyArray<"audio" | "spectrogram">; // default ["audio"]
  soundFormat?: "flac" | "wav"; // default "wav"
  audio?: ExportSound;
  spectrogram?: SpectrogramSettings;
  padBeforeSeconds?: number; // default 0.0
  padAfterSeconds?: number; // default 0.0
  timeExpansion?: number; // default 1.0
  secondsWhenWholeFile?: number; // default 5.0
}

/**
 * detections/sample: `count` scores of `class` within `scoreRange` (both ends included).
 *
 * "top" takes the highest, "random" any, "stratified" as many from each part of the range of scores. With
 * `groupBy` every recording, date or site gives as many as the others, as far as it has them. The same `seed`
 * chooses the same again. A row that stands for a whole file is shown by its first `secondsWhenWholeFile`
 * seconds.
 */
export interface DetectionsSampleParams extends Tokens {
  scoresId: string;
  class: string;
  scoreRange?: [number, number] | null;
  count?: number; // default 12
  strategy?: "random" | "stratified" | "top"; // default "top"
  seed?: number; // default 0
  groupBy?: "date" | "file" | "site" | null;
  render?: Render | null;
  secondsWhenWholeFile?: number; // default 5.0
}

/**
 * env/check: whether the environment in `folder`, or the interpreter `python`, can be used.
 *
 * Without `deep` only the marker and a few files are looked at. `deep` compares every file with what was in the
 * archive and really imports the packages, which takes seconds.
 */
export interface EnvCheckParams extends Tokens {
  folder?: string | null;
  python?: string | null;
  deep?: boolean; // default false
}

/**
 * env/remove: delete the environment in `folder`, and only what env/setup made.
 */
export interface EnvRemoveParams extends Tokens {
  folder?: string | null;
}

/**
 * env/setup: extract `archive` (.tar.gz, .tar.zst or .zip), verify it, and make it the environment in `folder`.
 *
 * `url` (https) is downloaded first; a download that broke off is gone on with. Where `archive` is a folder, or `url`
 * ends with a slash, this computer's archive there is taken: `dipper_pytorch_env-<platform>-<cpu or cuda>.tar.gz`,
 * cuda where an NVIDIA driver is found. With neither, one of those that came with the application. `sha256` (hex) is
 * what the archive must have; for a `url` without it, the sum that is published beside it (`<url>.sha256`) is taken.
 * An environment that is ready and was made from this same archive is left as it is, unless `force` is given; one
 * made from another archive is replaced.
 */
export interface EnvSetupParams extends Tokens {
  folder?: string | null;
  archive?: string | null;
  url?: string | null;
  sha256?: string | null;
  force?: boolean; // default false
}

/**
 * The state of an environment.
 *
 * "missing": nothing is there. "incomplete": it is being set up, its setting up was interrupted, or packages are
 * lacking. "broken": it is there, but cannot be used. `problem` says why. `packages` maps names to versions,
 * `sizeBytes` counts its files' contents, `libpythonPath` is where its Python library was loaded from (deep checks
 * and env/setup, on Linux).
 */
export interface Environment {
  status: "broken" | "incomplete" | "missing" | "ready";
  folder: string;
  pythonPath: string | null;
  pythonVersion: string | null;
  packages: Record<string, string>;
  sizeBytes: number | null;
  libpythonPath: string | null;
  problem: string | null;
}

/**
 * Which interpreter runs the models: an environment's `folder`, or a `python` of the user's own.
 *
 * With neither, the default folder is used.
 */
export interface EnvironmentChoice {
  folder?: string | null;
  python?: string | null;
}

/**
 * The default ML environment at a glance.
 */
export interface EnvironmentHealth {
  status: "broken" | "incomplete" | "missing" | "ready";
}

/**
 * The `data` of an error reply.
 *
 * `kind` is the error's stable name, `retryable` tells whether the same request may succeed later,
 * `path` is the file concerned, `hint` what to try next. `jobId`, `jobFolder` and `state` say where a
 * job stood when the request that waited for it was cancelled or failed.
 */
export interface ErrorData {
  kind: string;
  retryable: boolean;
  path?: string | null;
  hint?: string | null;
  jobId?: string | null;
  jobFolder?: string | null;
  state?: string | null;
  detail?: string | null;
}

/**
 * The `error` member of a reply.
 */
export interface ErrorObject {
  code: number;
  message: string;
  data?: ErrorData | null;
}

/**
 * AudioSettings, but the level stays that of the recording unless `normalize` is asked for.
 */
export interface ExportSound {
  channel?: number | null;
  normalize?: boolean; // default false
  sampleRate?: number | null;
  highpassHz?: number | null;
  lowpassHz?: number | null;
}

/**
 * Where it is, and how many rows were written: clips of a csv, scores of the others.
 */
export interface Exported {
  path: string;
  rowCount: number;
}

/**
 * What was written: `clipCount` clips, of the `total` asked for; `failures` lists the first 100 of `failed`.
 *
 * `table` is a CSV file in `folder` with a row for each detection, those that failed too:
 * file,start_time,end_time,class,score (so that scores/load reads it), then clip and spectrogram (the files' names),
 * clip_start_time, clip_end_time, sample_rate (of the clip's file), time_expansion and error. It is null where there
 * was nothing to export.
 */
export interface ExportedDetections {
  folder: string;
  table: string | null;
  total: number;
  clipCount: number;
  failed: number;
  failures: ReadonlyArray<FailedDetection>;
}

/**
 * A detection whose clip could not be exported, and why.
 */
export interface FailedDetection {
  path: string;
  startSeconds: number;
  endSeconds: number;
  class: string | null;
  score: number | null;
  error: ErrorObject;
}

/**
 * A recording that could not be scored, and why.
 */
export interface Failure {
  path: string;
  code: number;
  message: string;
}

/**
 * Bytes in a file of `bytes` bytes that the sidecar wrote; it lives at least 10 minutes.
 */
export interface FileBlob {
  kind: "file";
  mime: string;
  path: string;
  bytes: number;
}

/**
 * Which of the files can be scored.
 */
export interface FileCheck {
  valid: ReadonlyArray<string>;
  missing: ReadonlyArray<string>;
  unsupported: ReadonlyArray<string>;
  unreadable: ReadonlyArray<string>;
}

/**
 * folders/scan: list the recordings below `folder`.
 *
 * `extensions` (with or without the dot, any case) replaces the default list of audio formats.
 * `includeHidden` also lists hidden files and those of system folders. `probe` reads every header.
 * With `partialResultToken` the files are streamed and left out of the result.
 */
export interface FoldersScanParams extends Tokens {
  folder: string;
  recursive?: boolean; // default true
  extensions?: ReadonlyArray<string> | null;
  includeHidden?: boolean; // default false
  probe?: boolean; // default false
}

/**
 * health: `capabilities` lists every method there is; `memoryBytes` is the resident set.
 */
export interface Health {
  status: "ok";
  version: string;
  pid: number;
  uptimeSeconds: number;
  frozen: boolean;
  memoryBytes: number;
  capabilities: ReadonlyArray<string>;
  environment: EnvironmentHealth;
  jobs: JobsHealth;
}

/**
 * `counts[i]` scores lie between `edges[i]` and `edges[i + 1]`.
 */
export interface Histogram {
  edges: ReadonlyArray<number>;
  counts: ReadonlyArray<number>;
}

/**
 * What models/import did. `imported` are the new files, `present` counts those that were here already.
 */
export interface ImportedWeights {
  imported: ReadonlyArray<WeightFile>;
  present: number;
}

/**
 * How the model is run.
 *
 * `clipOverlapSeconds` is how much neighbouring clips share. `workers` counts the threads that read
 * ahead. `classes` keeps only these, in the model's order; null keeps all.
 *
 * `plan` is how a torch network is calculated: "auto" is the quickest of those whose scores equal eager's within 1e-5,
 * found on the first clips of a large job and remembered. `precision` lets it take half a precision too, where
 * the processor or GPU has it and that is quicker; summary.json says by how much the scores deviate then.
 * With `plan` and `batchSize` as environment.json has them, scores are the same to the last bit.
 */
export interface InferenceConfig {
  clipOverlapSeconds?: number; // default 0.0
  batchSize?: number | "auto"; // default "auto"
  workers?: number | "auto"; // default "auto"
  activation?: "none" | "sigmoid" | "softmax"; // default "none"
  device?: string; // default "auto"
  precision?: "bfloat16" | "float16" | "float32"; // default "float32"
  plan?: "auto" | "bfloat16" | "channels-last" | "eager" | "float16" | "frozen-channels-last" | "onnx"; // default "auto"
  classes?: ReadonlyArray<string> | null;
}

/**
 * inference/run: score the recordings of `config` (or of the file `configPath`).
 *
 * `trust` allows running code that a model file carries. With `wait` the answer comes when the job has
 * ended, otherwise at once.
 */
export interface InferenceRunParams extends Tokens {
  config?: Config | null;
  configPath?: string | null;
  environment?: EnvironmentChoice;
  trust?: boolean; // default false
  wait?: boolean; // default true
}

/**
 * initialize: the optional handshake. After it, the end of stdin means that the client is gone.
 *
 * `processId` is watched: when that process ends, so does the server. `blobFolder` is where results asked
 * for with delivery "file" are written. `trace` turns `$/logTrace` on.
 */
export interface InitializeParams {
  protocolVersion?: string | number | null;
  processId?: number | null;
  clientInfo?: ClientInfo | null;
  capabilities?: Record<string, unknown> | null;
  blobFolder?: string | null;
  trace?: "messages" | "off" | "verbose"; // default "off"
}

/**
 * What `initialize` answers.
 */
export interface InitializeResult {
  protocolVersion: string;
  serverInfo: ServerInfo;
  capabilities: Capabilities;
  limits: Limits;
}

/**
 * Bytes inside the reply, base64.
 */
export interface InlineBlob {
  kind: "inline";
  mime: string;
  base64: string;
}

/**
 * The recordings: files, all recordings below folders, and glob patterns. A recording counts once.
 *
 * Files come first, in the order given, then the others in natural order.
 */
export interface InputConfig {
  files?: ReadonlyArray<string>; // default []
  folders?: ReadonlyArray<string>; // default []
  patterns?: ReadonlyArray<string>; // default []
}

/**
 * A job as it stands. Times are ISO 8601 in UTC; `progress` is the last that was told, while it is under way.
 *
 * `filesDone`, `filesFailed` and `clips` count what the last run did, `filesSkipped` the recordings that runs
 * before it had done. Of a run that stopped early they count the recordings that it finished. `message` says why
 * a job failed, paused or was interrupted.
 */
export interface Job {
  jobId: string;
  jobFolder: string;
  name: string;
  state: "cancelled" | "completed" | "failed" | "interrupted" | "paused" | "preparing" | "queued" | "running";
  model: string;
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
  filesTotal: number;
  filesDone: number;
  filesFailed: number;
  filesSkipped: number;
  clips: number;
  progress: Progress | null;
  message: string | null;
}

/**
 * Recordings that could not be scored, or only in part, and why. `total` counts all of them.
 */
export interface JobFailures {
  failures: ReadonlyArray<Failure>;
  total: number;
}

/**
 * Jobs, the newest first.
 */
export interface JobList {
  jobs: ReadonlyArray<Job>;
}

/**
 * Lines, the oldest first.
 */
export interface JobLog {
  lines: ReadonlyArray<string>;
}

/**
 * What a job did so far; with `wait` false that is nothing yet.
 *
 * `filesAdded` counts recordings that were not there when the job ran before. `realtimeFactor` is sound over wall
 * time. `failures` holds the first 100; failures.csv in the job folder holds all.
 */
export interface JobReport {
  jobId: string;
  jobFolder: string;
  name: string;
  state: "cancelled" | "completed" | "failed" | "interrupted" | "paused" | "preparing" | "queued" | "running";
  model: string;
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
  filesTotal: number;
  filesDone: number;
  filesFailed: number;
  filesSkipped: number;
  clips: number;
  progress: Progress | null;
  message: string | null;
  filesAdded: number;
  audioSeconds: number;
  elapsedSeconds: number;
  realtimeFactor: number | null;
  outputs: ReadonlyArray<OutputFile>;
  failures: ReadonlyArray<Failure>;
}

/**
 * jobs/cancel: stop a job that waits or runs. What is scored stays, and the job can be resumed.
 */
export interface JobsCancelParams extends Tokens {
  jobId: string;
}

/**
 * jobs/failures: the recordings that a job could not score, so far where it is under way; the first `limit`.
 */
export interface JobsFailuresParams extends Tokens {
  jobId: string;
  limit?: number; // default 1000
}

/**
 * jobs/get: one job.
 */
export interface JobsGetParams extends Tokens {
  jobId: string;
}

/**
 * How many jobs are under way.
 */
export interface JobsHealth {
  running: number;
  queued: number;
}

/**
 * jobs/list: the jobs that this computer's state folder knows, the newest first; only those in `state`.
 */
export interface JobsListParams extends Tokens {
  state?: "cancelled" | "completed" | "failed" | "interrupted" | "paused" | "preparing" | "queued" | "running" | null;
  limit?: number; // default 100
}

/**
 * jobs/log: the last `tail` lines of a job's log.
 */
export interface JobsLogParams extends Tokens {
  jobId: string;
  tail?: number; // default 200
}

/**
 * jobs/remove: forget a job; with `deleteFiles` its folder goes too.
 */
export interface JobsRemoveParams extends Tokens {
  jobId: string;
  deleteFiles?: boolean; // default false
}

/**
 * jobs/resume: go on with a job that was cancelled, interrupted or failed. Files done are not scored again.
 */
export interface JobsResumeParams extends Tokens {
  jobId?: string | null;
  jobFolder?: string | null;
  environment?: EnvironmentChoice;
  trust?: boolean; // default false
  wait?: boolean; // default true
}

/**
 * What one client may ask for at once.
 *
 * `maxInFlight` requests are under way until their replies are written; one more is refused as busy.
 * Messages are at most `maxMessageBytes` long. Above `maxUnsentBytes` of unread replies the server stops
 * reading. `poolThreads` requests run at a time.
 */
export interface Limits {
  maxInFlight: number;
  maxMessageBytes: number;
  maxUnsentBytes: number;
  maxBatch: number;
  poolThreads: number;
}

/**
 * A config file's content in today's form.
 *
 * `sourceFormat` is "current", "seed" or "dipper"; `warnings` name what an older form held and this one
 * does not.
 */
export interface LoadedConfig {
  config: Config;
  sourceFormat: "current" | "dipper" | "seed";
  warnings: ReadonlyArray<string>;
}

/**
 * A model, or a source of models. `reason` says why it is not available, naming the package that is missing.
 *
 * `name` is what a config says, `title` what people call it. `licence` and `citation` are those of its authors,
 * `clipSeconds`, `sampleRate` (Hz) and `classCount` those of its default options; null where they are not known
 * before it is loaded. `weightsCached` tells whether its weights are on this computer; null where it has none, or
 * nobody can tell.
 */
export interface ModelEntry {
  source: "checkpoint" | "cwt" | "onnx" | "python" | "ribbit" | "zoo";
  name: string;
  description: string;
  available: boolean;
  reason: string | null;
  title: string | null;
  licence: string | null;
  citation: string | null;
  clipSeconds: number | null;
  sampleRate: number | null;
  classCount: number | null;
  weightsCached: boolean | null;
}

/**
 * All models.
 */
export interface ModelList {
  models: ReadonlyArray<ModelEntry>;
}

/**
 * models/import: take over weights that were fetched on another computer, from the cache folder at `path`.
 *
 * That is a torch cache (the folder with `hub/checkpoints`), a Hugging Face cache (with `hub/models--...`), the
 * zoo's own (`bioacousticsModelZoo`), or a folder that holds some of them. Files that are here already stay as
 * they are; one of the same name but other content is a conflict, and nothing is imported, unless `overwrite` is
 * given.
 */
export interface ModelsImportParams extends Tokens {
  path: string;
  environment?: EnvironmentChoice;
  overwrite?: boolean; // default false
}

/**
 * models/list: every model source, and whether it can run in this environment.
 */
export interface ModelsListParams extends Tokens {
  environment?: EnvironmentChoice;
}

/**
 * models/prepare: fetch the weights of a zoo model, so that it can be run without a connection later.
 *
 * The model is loaded once, which proves that it can be. With other sources there is nothing to fetch.
 */
export interface ModelsPrepareParams extends Tokens {
  model: ZooModel | CheckpointModel | OnnxModel | PythonModel | RibbitModel | CwtModel;
  environment?: EnvironmentChoice;
  trust?: boolean; // default false
}

/**
 * A network in an ONNX file that takes waveforms ([batch, samples] or [batch, 1, samples]) and scores classes.
 *
 * `classes` are in the order of its output. Sound is mixed down to one channel and resampled to `sampleRate` (Hz).
 * `clipSeconds` may be left out where the file fixes the number of samples.
 */
export interface OnnxModel {
  source: "onnx";
  path: string;
  classes: ReadonlyArray<string>;
  sampleRate: number;
  clipSeconds?: number | null;
}

/**
 * Where results go and in which forms.
 *
 * `layout` "dense" keeps every score, "sparse" per clip those at or above `threshold` or among the `topK`
 * highest; "auto" is dense up to 500 classes. Sparse without either keeps what reaches the model's own
 * recommended threshold, and the best three in any case.
 */
export interface OutputConfig {
  folder: string;
  formats?: ReadonlyArray<"csv" | "parquet">; // default ["csv"]
  layout?: "auto" | "dense" | "sparse"; // default "auto"
  threshold?: number | null;
  topK?: number | null;
}

/**
 * A file of results.
 */
export interface OutputFile {
  format: string;
  path: string;
}

/**
 * Some rows; `total` counts all that fit.
 */
export interface Page {
  rows: ReadonlyArray<ScoreRow>;
  total: number;
}

/**
 * A model that is ready to run. `files` are those it was made from, `fetchedBytes` what was downloaded for it now.
 *
 * `weights` tells one state of the model from another, "sha256:..." where it has weights.
 */
export interface PreparedModel {
  name: string;
  weights: string;
  classCount: number;
  clipSeconds: number;
  sampleRate: number | null;
  files: ReadonlyArray<WeightFile>;
  fetchedBytes: number;
}

/**
 * The value of a `$/progress` notification.
 *
 * `done` of `total` are counted in `unit`; `percentage` is 0..100. Jobs add clips per second, seconds of
 * sound per second of wall time, the seconds that remain, and the number of recordings that failed.
 */
export interface Progress {
  kind?: "begin" | "end" | "report" | null;
  title?: string | null;
  message?: string | null;
  percentage?: number | null;
  done?: number | null;
  total?: number | null;
  unit?: string | null;
  clipsPerSecond?: number | null;
  realtimeFactor?: number | null;
  etaSeconds?: number | null;
  failed?: number | null;
  jobId?: string | null;
  jobFolder?: string | null;
}

/**
 * The class `className` of a Python file, made with `options` as keyword arguments; docs/models.md shows one.
 *
 * Its code runs, so it is loaded only where the run says `trust`.
 */
export interface PythonModel {
  source: "python";
  path: string;
  className: string;
  options?: Record<string, unknown>;
}

/**
 * A recording's format, and when, where and by what it was made as far as its header or name tell.
 *
 * `recordedAt` is ISO 8601, with an offset only where the source gives one; `timeSource` says what that
 * source was. `gainDb` in decibels, `temperatureC` in degrees Celsius, `latitude` and `longitude` in
 * degrees.
 */
export interface RecordingInfo {
  path: string;
  durationSeconds: number;
  sampleRate: number;
  channels: number;
  frames: number;
  format: string;
  subtype: string;
  sizeBytes: number;
  recordedAt: string | null;
  timeSource: string | null;
  device: string | null;
  latitude: number | null;
  longitude: number | null;
  gainDb: number | null;
  temperatureC: number | null;
  comment: string | null;
}

/**
 * How much room was made.
 */
export interface Removed {
  freedBytes: number;
}

/**
 * What env/remove has freed. `kept` lists files in the folder that are not the environment's own.
 */
export interface RemovedEnvironment {
  folder: string;
  freedBytes: number;
  kept: ReadonlyArray<string>;
}

/**
 * How the clip of each detection is rendered; see audio/clip.
 */
export interface Render {
  spectrogram?: SpectrogramSettings;
  audio?: AudioSettings;
  include?: ReadonlyArray<"audio" | "spectrogram">; // default ["spectrogram","audio"]
  delivery?: "file" | "inline"; // default "inline"
}

/**
 * RIBBIT, the pulse-rate detector of OpenSoundscape (Lapp et al. 2021, Methods in Ecology and Evolution).
 *
 * `signalBandHz` holds the call, `pulseRateHz` the pulses per second sought, `noiseBandsHz` bands
 * whose energy is subtracted; the lower end of each lies below the upper. Clips are 0.05 to 3600 s long.
 * `spectrogramWindowSamples` is the window of the amplitude envelope.
 */
export interface RibbitModel {
  source: "ribbit";
  className: string;
  signalBandHz: [number, number];
  pulseRateHz: [number, number];
  noiseBandsHz?: ReadonlyArray<[number, number]>; // default []
  clipSeconds?: number; // default 5.0
  spectrogramWindowSamples?: number; // default 512
}

/**
 * A row that could not be read (`row` counts from 1, the header being row 1), or the whole table when 0.
 */
export interface RowProblem {
  row: number;
  message: string;
}

/**
 * Detections, highest score first. `total` counts all that were in range.
 */
export interface Sample {
  detections: ReadonlyArray<Detection>;
  total: number;
}

/**
 * Where the config was written, and how it reads with every default filled in.
 */
export interface SavedConfig {
  path: string;
  config: Config;
}

/**
 * The recordings of a folder in natural order. `count` and `totalBytes` count streamed rows too.
 */
export interface Scan {
  folder: string;
  files: ReadonlyArray<ScannedFile>;
  count: number;
  totalBytes: number;
  skipped: ReadonlyArray<SkippedPath>;
}

/**
 * One recording. The fields after `sizeBytes` are known only where the scan probed.
 *
 * `problem` says that the file is readable, but not of the format that its extension names.
 */
export interface ScannedFile {
  path: string;
  sizeBytes: number;
  durationSeconds: number | null;
  sampleRate: number | null;
  recordedAt: string | null;
  problem: string | null;
}

/**
 * A score. `row` is its row in the table, counted from 0; times of 0 and 0 stand for a whole file.
 */
export interface ScoreRow {
  row: number;
  path: string;
  startSeconds: number;
  endSeconds: number;
  class: string;
  score: number | null;
}

/**
 * An open table. `rowCount` counts clips; `problems` lists at most 1,000 rows.
 *
 * `missingFileCount`: recordings that were not found below `audioRoot`; null without one.
 */
export interface ScoreTable {
  scoresId: string;
  path: string;
  format: "audacity" | "birdnet" | "birdnet-raven" | "chirpity" | "job" | "kaleidoscope" | "opensoundscape" | "raven" | "simple" | "sparse";
  layout: "dense" | "sparse";
  rowCount: number;
  fileCount: number;
  classes: ReadonlyArray<ClassSummary>;
  scoreRange: [number, number] | null;
  problems: ReadonlyArray<RowProblem>;
  missingFileCount: number | null;
}

/**
 * scores/close: forget an open table.
 */
export interface ScoresCloseParams extends Tokens {
  scoresId: string;
}

/**
 * scores/export: write an open table, or the part of it within `class` and `scoreRange`, for other programs.
 *
 * "csv" is OpenSoundscape's form, "parquet" a row per score; "audacity" makes `path` a folder with a label file
 * for each recording (files of other recordings that are there stay). What a format cannot carry is refused by name,
 * never changed; infinite scores can be carried by all, NaN by csv and parquet, elsewhere it is absent. `overwrite`
 * replaces tables only (.csv, .tsv, .txt, .parquet), whatever `path` says.
 */
export interface ScoresExportParams extends Tokens {
  scoresId: string;
  path: string;
  format: "audacity" | "birdnet" | "csv" | "kaleidoscope" | "parquet" | "raven";
  class?: string | null;
  scoreRange?: [number, number] | null;
  overwrite?: boolean; // default false
}

/**
 * scores/histogram: how the scores of a class are distributed over `bins` of equal width.
 *
 * `range` defaults to the lowest and highest finite score. Scores outside it, infinite ones and NaN are not
 * counted. Every bin includes its lower edge, the last one its upper edge too, as in numpy.histogram.
 */
export interface ScoresHistogramParams extends Tokens {
  scoresId: string;
  class: string;
  bins?: number; // default 50
  range?: [number, number] | null;
}

/**
 * scores/load: open a score table or a job folder. `audioRoot` is where its recordings are now.
 */
export interface ScoresLoadParams extends Tokens {
  path: string;
  format?: "auto" | "audacity" | "birdnet" | "birdnet-raven" | "chirpity" | "job" | "kaleidoscope" | "opensoundscape" | "raven" | "simple" | "sparse"; // default "auto"
  audioRoot?: string | null;
}

/**
 * scores/page: rows of an open table, of one `class` or of all, some at a time.
 *
 * `scoreRange` includes both its ends; `files` are recordings as rows name them. `sort` by "score", by "path" (and
 * time in it), or by "row", the order of the table. Absent scores and NaN are no rows.
 */
export interface ScoresPageParams extends Tokens {
  scoresId: string;
  class?: string | null;
  scoreRange?: [number, number] | null;
  files?: ReadonlyArray<string> | null;
  sort?: "path" | "row" | "score"; // default "score"
  descending?: boolean; // default true
  offset?: number; // default 0
  limit?: number; // default 100
}

/**
 * scores/summary: how many scores reach `threshold` (all, without one), of one `class` or of all, in groups.
 *
 * "hour" is that of the day ("05") and "date" ("2024-05-12") the day, by the recorder's clock, where the
 * recording's name tells when it began. "site" is the recording's folder, seen from the folder that all have in
 * common; where they share one folder, what stands before the time in the name.
 */
export interface ScoresSummaryParams extends Tokens {
  scoresId: string;
  by: "class" | "date" | "file" | "hour" | "site";
  class?: string | null;
  threshold?: number | null;
}

/**
 * Who answers.
 */
export interface ServerInfo {
  name: string;
  version: string;
}

/**
 * $/setTrace: how much of the conversation is told in `$/logTrace`.
 */
export interface SetTraceParams {
  value: "messages" | "off" | "verbose";
}

/**
 * A file or folder that was left out, and why.
 */
export interface SkippedPath {
  path: string;
  reason: string;
}

/**
 * How a spectrogram is computed and drawn.
 *
 * Hann window, power spectral density in dB re full scale^2/Hz, as
 * `scipy.signal.spectrogram(scaling="density", detrend=False)` defines it. `fftSamples` defaults to
 * `windowSamples` (longer: zero-padded). `decibelRange` maps to the ends of the colormap; "auto" takes
 * it from the clip: from the level that 5 % of the picture lie below, to the loudest. `frequencyRangeHz` defaults
 * to 0..Nyquist; a log scale begins at the lowest bin. With `resize` the picture is `widthPixels` x
 * `heightPixels`, and spans the clip from edge to edge: a column shows the mean power within it, a row the loudest
 * level. Otherwise it has one pixel per frame and frequency bin. `referenceFrequencyHz` draws a dashed line.
 */
export interface SpectrogramSettings {
  windowSamples?: number; // default 512
  overlapFraction?: number; // default 0.5
  fftSamples?: number | null;
  scaling?: "density" | "spectrum"; // default "density"
  decibelRange?: [number, number] | "auto"; // default [-80.0,-20.0]
  frequencyRangeHz?: [number, number] | null;
  scale?: "linear" | "log" | "mel"; // default "linear"
  colormap?: "greys" | "greys_r" | "inferno" | "magma" | "plasma" | "turbo" | "viridis"; // default "greys"
  widthPixels?: number; // default 224
  heightPixels?: number; // default 224
  resize?: boolean; // default true
  referenceFrequencyHz?: number | null;
}

/**
 * The groups: classes in the table's order, the others sorted by their key.
 */
export interface Summary {
  groups: ReadonlyArray<SummaryGroup>;
}

/**
 * A group, its number of scores, and the highest. `key` is null where the time or the site is not known.
 *
 * `max` is null without any score, and where the highest is infinite.
 */
export interface SummaryGroup {
  key: string | null;
  count: number;
  max: number | null;
}

/**
 * Whether a run can start. `files` covers the config's recordings and those asked for.
 *
 * `neededBytes` is an estimate, at the lower end, of what the results will take on the disk, `freeBytes` what is
 * free there; null where only the model itself can tell how many classes there are.
 */
export interface Validation {
  valid: boolean;
  errors: ReadonlyArray<ConfigProblem>;
  warnings: ReadonlyArray<string>;
  files: FileCheck | null;
  neededBytes: number | null;
  freeBytes: number | null;
}

/**
 * A file that a model is made from.
 */
export interface WeightFile {
  path: string;
  sizeBytes: number;
}

/**
 * A class of the bioacoustics-model-zoo, by name; `options` are its keyword arguments.
 */
export interface ZooModel {
  source: "zoo";
  name: string;
  options?: Record<string, unknown>;
}

/** For `connection.onProgress(WorkDone, token, handler)`. */
export const WorkDone = new ProgressType<Progress>();

export const Health = new RequestType0<Health, ErrorData>("health");
export const RpcDiscover = new RequestType0<Record<string, unknown>, ErrorData>("rpc.discover");
export const AudioInfo = new RequestType<AudioInfoParams, RecordingInfo, ErrorData>("audio/info");
export const AudioClip = new RequestType<AudioClipParams, Clip, ErrorData>("audio/clip");
export const AudioClips = new RequestType<AudioClipsParams, Clips, ErrorData>("audio/clips");
export const CacheClear = new RequestType0<CacheCleared, ErrorData>("cache/clear");
export const FoldersScan = new RequestType<FoldersScanParams, Scan, ErrorData>("folders/scan");
export const ConfigSave = new RequestType<ConfigSaveParams, SavedConfig, ErrorData>("config/save");
export const ConfigLoad = new RequestType<ConfigLoadParams, LoadedConfig, ErrorData>("config/load");
export const ConfigValidate = new RequestType<ConfigValidateParams, Validation, ErrorData>("config/validate");
export const EnvCheck = new RequestType<EnvCheckParams, Environment, ErrorData>("env/check");
export const EnvSetup = new RequestType<EnvSetupParams, Environment, ErrorData>("env/setup");
export const EnvRemove = new RequestType<EnvRemoveParams, RemovedEnvironment, ErrorData>("env/remove");
export const ModelsList = new RequestType<ModelsListParams, ModelList, ErrorData>("models/list");
export const ModelsPrepare = new RequestType<ModelsPrepareParams, PreparedModel, ErrorData>("models/prepare");
export const ModelsImport = new RequestType<ModelsImportParams, ImportedWeights, ErrorData>("models/import");
export const InferenceRun = new RequestType<InferenceRunParams, JobReport, ErrorData>("inference/run");
export const JobsResume = new RequestType<JobsResumeParams, JobReport, ErrorData>("jobs/resume");
export const JobsList = new RequestType<JobsListParams, JobList, ErrorData>("jobs/list");
export const JobsGet = new RequestType<JobsGetParams, Job, ErrorData>("jobs/get");
export const JobsCancel = new RequestType<JobsCancelParams, Job, ErrorData>("jobs/cancel");
export const JobsLog = new RequestType<JobsLogParams, JobLog, ErrorData>("jobs/log");
export const JobsFailures = new RequestType<JobsFailuresParams, JobFailures, ErrorData>("jobs/failures");
export const JobsRemove = new RequestType<JobsRemoveParams, Removed, ErrorData>("jobs/remove");
export const ScoresLoad = new RequestType<ScoresLoadParams, ScoreTable, ErrorData>("scores/load");
export const ScoresPage = new RequestType<ScoresPageParams, Page, ErrorData>("scores/page");
export const ScoresHistogram = new RequestType<ScoresHistogramParams, Histogram, ErrorData>("scores/histogram");
export const ScoresSummary = new RequestType<ScoresSummaryParams, Summary, ErrorData>("scores/summary");
export const ScoresExport = new RequestType<ScoresExportParams, Exported, ErrorData>("scores/export");
export const DetectionsSample = new RequestType<DetectionsSampleParams, Sample, ErrorData>("detections/sample");
export const DetectionsExport = new RequestType<DetectionsExportParams, ExportedDetections, ErrorData>("detections/export");
export const ScoresClose = new RequestType<ScoresCloseParams, null, ErrorData>("scores/close");

/** Every method's params and result, by the method's name. */
export interface Methods {
  "health": { params: Tokens; result: Health };
  "rpc.discover": { params: Tokens; result: Record<string, unknown> };
  "audio/info": { params: AudioInfoParams; result: RecordingInfo };
  "audio/clip": { params: AudioClipParams; result: Clip };
  "audio/clips": { params: AudioClipsParams; result: Clips };
  "cache/clear": { params: Tokens; result: CacheCleared };
  "folders/scan": { params: FoldersScanParams; result: Scan };
  "config/save": { params: ConfigSaveParams; result: SavedConfig };
  "config/load": { params: ConfigLoadParams; result: LoadedConfig };
  "config/validate": { params: ConfigValidateParams; result: Validation };
  "env/check": { params: EnvCheckParams; result: Environment };
  "env/setup": { params: EnvSetupParams; result: Environment };
  "env/remove": { params: EnvRemoveParams; result: RemovedEnvironment };
  "models/list": { params: ModelsListParams; result: ModelList };
  "models/prepare": { params: ModelsPrepareParams; result: PreparedModel };
  "models/import": { params: ModelsImportParams; result: ImportedWeights };
  "inference/run": { params: InferenceRunParams; result: JobReport };
  "jobs/resume": { params: JobsResumeParams; result: JobReport };
  "jobs/list": { params: JobsListParams; result: JobList };
  "jobs/get": { params: JobsGetParams; result: Job };
  "jobs/cancel": { params: JobsCancelParams; result: Job };
  "jobs/log": { params: JobsLogParams; result: JobLog };
  "jobs/failures": { params: JobsFailuresParams; result: JobFailures };
  "jobs/remove": { params: JobsRemoveParams; result: Removed };
  "scores/load": { params: ScoresLoadParams; result: ScoreTable };
  "scores/page": { params: ScoresPageParams; result: Page };
  "scores/histogram": { params: ScoresHistogramParams; result: Histogram };
  "scores/summary": { params: ScoresSummaryParams; result: Summary };
  "scores/export": { params: ScoresExportParams; result: Exported };
  "detections/sample": { params: DetectionsSampleParams; result: Sample };
  "detections/export": { params: DetectionsExportParams; result: ExportedDetections };
  "scores/close": { params: ScoresCloseParams; result: null };
}

export type MethodName = keyof Methods;
