// The fields of every model source: what they are called, their units and help, and how typed text becomes their value.
import type { ModelSource } from "./draft.js";

export type FieldKind = "text" | "path" | "number" | "range" | "ranges" | "list" | "json";

export interface FieldDescription {
  name: string;
  label: string;
  kind: FieldKind;
  unit?: string;
  help?: string;
  placeholder?: string;
  isRequired?: boolean;
  extensions?: ReadonlyArray<string>;
}

const CLASSES = { name: "classes", label: "Classes", kind: "list", help: "One per line or separated by commas, in the order of the network's output." } as const;
const OPTIONS = { name: "options", label: "Options", kind: "json", placeholder: '{"name": 1}', help: "Keyword arguments of the model, as JSON. Leave empty for its own defaults." } as const;
const CLASS_NAME = { name: "className", label: "Class name", kind: "text", isRequired: true, help: "What the score's column is called, for example the species." } as const;

export const MODEL_FIELDS: Record<ModelSource, ReadonlyArray<FieldDescription>> = {
  zoo: [OPTIONS],
  checkpoint: [
    { name: "path", label: "Model file", kind: "path", isRequired: true, extensions: ["model", "pt", "pth", "ckpt", "pkl"], help: "Saved by OpenSoundscape, or bare weights of a torch network." },
    { name: "architecture", label: "Architecture", kind: "text", placeholder: "resnet18", help: "Only for bare weights, with the three below." },
    CLASSES,
    { name: "sampleRate", label: "Sample rate", kind: "number", unit: "Hz" },
    { name: "clipSeconds", label: "Clip length", kind: "number", unit: "s" },
  ],
  onnx: [
    { name: "path", label: "ONNX file", kind: "path", isRequired: true, extensions: ["onnx"], help: "A network that takes waveforms and scores classes." },
    { ...CLASSES, isRequired: true },
    { name: "sampleRate", label: "Sample rate", kind: "number", unit: "Hz", isRequired: true, help: "What it was trained with." },
    { name: "clipSeconds", label: "Clip length", kind: "number", unit: "s", help: "Leave empty where the file fixes it." },
  ],
  python: [
    { name: "path", label: "Python file", kind: "path", isRequired: true, extensions: ["py"], help: "Its code runs on this computer." },
    { name: "className", label: "Class", kind: "text", isRequired: true, help: "The class in that file that is the model." },
    OPTIONS,
  ],
  ribbit: [
    CLASS_NAME,
    { name: "signalBandHz", label: "Signal band", kind: "range", unit: "Hz", isRequired: true, placeholder: "1000 - 2000", help: "Lowest and highest frequency of the call." },
    { name: "pulseRateHz", label: "Pulse rate", kind: "range", unit: "pulses per s", isRequired: true, placeholder: "5 - 15", help: "Slowest and fastest repetition of the pulses." },
    { name: "noiseBandsHz", label: "Noise bands", kind: "ranges", unit: "Hz", placeholder: "0 - 500, 3000 - 4000", help: "Bands whose energy is subtracted." },
    { name: "clipSeconds", label: "Clip length", kind: "number", unit: "s", placeholder: "5" },
    { name: "spectrogramWindowSamples", label: "Spectrogram window", kind: "number", unit: "samples", placeholder: "512" },
  ],
  cwt: [
    CLASS_NAME,
    { name: "sampleRate", label: "Sample rate", kind: "number", unit: "Hz", placeholder: "400", help: "The sound is resampled to this first." },
    { name: "windowLen", label: "Clip length", kind: "number", unit: "s", placeholder: "10" },
    { name: "centerFrequency", label: "Centre frequency", kind: "number", unit: "Hz", placeholder: "50" },
    { name: "wavelet", label: "Wavelet", kind: "text", placeholder: "morl" },
    { name: "peakThreshold", label: "Peak threshold", kind: "number", unit: "0 to 1", placeholder: "0.2" },
    { name: "peakSeparation", label: "Peak separation", kind: "number", unit: "s", placeholder: "0.0375" },
    { name: "dtRange", label: "Time between peaks", kind: "range", unit: "s", placeholder: "0.05 - 0.8" },
    { name: "dyRange", label: "Change of that", kind: "range", unit: "s", placeholder: "-0.2 - 0" },
    { name: "d2yRange", label: "Change of the change", kind: "range", unit: "s", placeholder: "-0.05 - 0.15" },
    { name: "maxSkip", label: "Peaks passed over", kind: "number", unit: "peaks", placeholder: "3" },
    { name: "durationRange", label: "Length of a sequence", kind: "range", unit: "s", placeholder: "1 - 15" },
    { name: "pointsRange", label: "Peaks in a sequence", kind: "range", unit: "peaks", placeholder: "9 - 100" },
  ],
};

/** The value of typed text; the text itself where it cannot be one, so that the check names the field. */
export function parseField(kind: FieldKind, text: string): unknown {
  const trimmed = text.trim();
  switch (kind) {
    case "number":
      return parseNumber(trimmed);
    case "range":
      return parseRange(trimmed) ?? trimmed;
    case "ranges": {
      const bands = trimmed.split(/[,;\n]/).filter((part) => part.trim() !== "");
      return bands.map((band) => parseRange(band.trim()) ?? band.trim());
    }
    case "list":
      return parseList(trimmed);
    case "json":
      return parseJson(trimmed);
    default:
      return trimmed;
  }
}

/** A value as text, so that `parseField` gives it back. */
export function formatField(kind: FieldKind, value: unknown): string {
  if (value === null || value === undefined) return "";
  if (kind === "range" && Array.isArray(value)) return value.join(" - ");
  if (kind === "ranges" && Array.isArray(value)) return value.map((band) => formatField("range", band)).join(", ");
  if (kind === "list" && Array.isArray(value)) return value.join("\n");
  if (kind === "json") return Object.keys(value).length === 0 ? "" : JSON.stringify(value);
  return String(value);
}

export function parseNumber(text: string): number | string {
  const value = Number(text.replace(/(\d),(\d)/, "$1.$2"));
  return text.trim() === "" || !Number.isFinite(value) ? text : value;
}

/** Names, one per line; on a single line separated by commas. */
export function parseList(text: string): string[] {
  const separator = text.includes("\n") ? "\n" : ",";
  return text.split(separator).map((name) => name.trim()).filter((name) => name !== "");
}

function parseRange(text: string): [number, number] | null {
  const found = /^(-?\d+(?:\.\d+)?(?:e-?\d+)?)\s*(?:-|–|to|\.\.)\s*(-?\d+(?:\.\d+)?(?:e-?\d+)?)$/i.exec(text);
  return found ? [Number(found[1]), Number(found[2])] : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
