// The fields of a run: what each is called, what it means, and which part of the config it fills.
import type { Config } from "../../../generated/contract.js";

export type Source = Config["model"]["source"];
export type Kind = "text" | "path" | "number" | "range" | "ranges" | "lines" | "choice" | "auto-number" | "formats";

/** `place` is where it stands in the config: "inference.batchSize"; fields of a model begin with "model.". */
export interface Field {
  place: string;
  label: string;
  kind: Kind;
  help: string;
  unit?: string;
  choices?: ReadonlyArray<{ value: string; label: string }>;
  extensions?: ReadonlyArray<string>;
  placeholder?: string;
}

export const SOURCE_DEFINITION: Record<Source, string> = {
  zoo: "ZooModel",
  checkpoint: "CheckpointModel",
  onnx: "OnnxModel",
  python: "PythonModel",
  ribbit: "RibbitModel",
  cwt: "CwtModel",
};

const CLASS_NAME: Field = { place: "model.className", label: "Name of the class", kind: "text", help: "What a detection is called in the results." };
const PATH = "Choose the file, or type its path.";

export const MODEL_FIELDS: Record<Source, ReadonlyArray<Field>> = {
  zoo: [],
  checkpoint: [
    { place: "model.path", label: "Model file", kind: "path", help: PATH, extensions: ["pt", "pth", "model", "pkl", "ckpt"] },
    { place: "model.architecture", label: "Architecture", kind: "text", help: "Only for bare weights: resnet18, efficientnet_b0, …", placeholder: "told by the file" },
    { place: "model.classes", label: "Classes", kind: "lines", help: "Only for bare weights: one a line, in the order of the network's outputs." },
    { place: "model.sampleRate", label: "Sample rate", kind: "number", unit: "Hz", help: "Only for bare weights: what it was trained with." },
    { place: "model.clipSeconds", label: "Clip length", kind: "number", unit: "s", help: "Only for bare weights: what it was trained with." },
  ],
  onnx: [
    { place: "model.path", label: "ONNX file", kind: "path", help: PATH, extensions: ["onnx"] },
    { place: "model.classes", label: "Classes", kind: "lines", help: "One a line, in the order of the network's outputs." },
    { place: "model.sampleRate", label: "Sample rate", kind: "number", unit: "Hz", help: "Of the waveforms that the network takes." },
    { place: "model.clipSeconds", label: "Clip length", kind: "number", unit: "s", help: "Left empty, the network's input tells it.", placeholder: "told by the file" },
  ],
  python: [
    { place: "model.path", label: "Python file", kind: "path", help: "A file with a class as docs/models.md shows it. It is run as it is.", extensions: ["py"] },
    { place: "model.className", label: "Class in the file", kind: "text", help: "The name of the Python class." },
  ],
  ribbit: [
    CLASS_NAME,
    { place: "model.signalBandHz", label: "Signal band", kind: "range", unit: "Hz", help: "The frequencies of the call." },
    { place: "model.pulseRateHz", label: "Pulse rate", kind: "range", unit: "pulses a second", help: "How often it pulses, at least and at most." },
    { place: "model.noiseBandsHz", label: "Noise bands", kind: "ranges", unit: "Hz", help: "Bands without the call, one a line: 0-200. Their energy is subtracted." },
    { place: "model.clipSeconds", label: "Clip length", kind: "number", unit: "s", help: "Each clip gets a score.", placeholder: "5" },
    { place: "model.spectrogramWindowSamples", label: "Window", kind: "number", unit: "samples", help: "Of the amplitude envelope.", placeholder: "512" },
  ],
  cwt: [
    CLASS_NAME,
    { place: "model.windowLen", label: "Clip length", kind: "number", unit: "s", help: "What remains at the end of a recording is left out.", placeholder: "10" },
    { place: "model.centerFrequency", label: "Centre frequency", kind: "number", unit: "Hz", help: "Of the wavelet.", placeholder: "50" },
    { place: "model.peakThreshold", label: "Peak threshold", kind: "number", help: "Peaks are at least as high, 0 to 1.", placeholder: "0.2" },
    { place: "model.dtRange", label: "Between pulses", kind: "range", unit: "s", help: "Left empty, as a Ruffed Grouse drums: 0.05 to 0.8." },
    { place: "model.pointsRange", label: "Pulses", kind: "range", help: "How many there are in a sequence: 9 to 100." },
  ],
};

export const BASIC_FIELDS: ReadonlyArray<Field> = [
  { place: "name", label: "Name of the run", kind: "text", help: "The results' folder begins with it.", placeholder: "job" },
  { place: "output.folder", label: "Results go to", kind: "path", help: "A folder for this run is made in it." },
  { place: "inference.clipOverlapSeconds", label: "Overlap of clips", kind: "number", unit: "s", help: "How much neighbouring clips share. More finds calls on edges, and takes longer.", placeholder: "0" },
  { place: "output.threshold", label: "Keep scores from", kind: "number", help: "Smaller ones are left out where few scores per clip are kept. Empty: the model's own advice.", placeholder: "the model's" },
];

export const ADVANCED_FIELDS: ReadonlyArray<Field> = [
  { place: "inference.classes", label: "Only these classes", kind: "lines", help: "One a line. Empty keeps all." },
  { place: "inference.activation", label: "Activation", kind: "choice", help: "What is done to the network's outputs.", choices: choices("none", "sigmoid", "softmax") },
  { place: "inference.batchSize", label: "Batch size", kind: "auto-number", unit: "clips", help: "Clips that go through the model together.", placeholder: "auto" },
  { place: "inference.workers", label: "Reader threads", kind: "auto-number", help: "Threads that read sound ahead.", placeholder: "auto" },
  { place: "inference.device", label: "Device", kind: "text", help: "auto, cpu, mps, cuda or cuda:1.", placeholder: "auto" },
  { place: "inference.precision", label: "Precision", kind: "choice", help: "Half a precision is quicker on some machines; the summary tells the deviation.", choices: choices("float32", "bfloat16", "float16") },
  { place: "output.formats", label: "Tables", kind: "formats", help: "Scores as files, beside what the app itself reads." },
  { place: "output.layout", label: "Layout", kind: "choice", help: "dense keeps every score, sparse the highest of each clip.", choices: choices("auto", "dense", "sparse") },
  { place: "output.topK", label: "Scores per clip", kind: "number", help: "The highest so many of each clip are kept in a sparse table.", placeholder: "3" },
];

function choices(...values: ReadonlyArray<string>): ReadonlyArray<{ value: string; label: string }> {
  return values.map((value) => ({ value, label: value }));
}
