// What the user has entered so far, in the form in which it is typed; kept between visits. Turning it into a config is
// in config.ts.
import type { Config } from "../../../generated/contract.js";

export type ModelSource = Config["model"]["source"];

/** The recordings of one choice: a folder with all below it, or single files. */
export interface DraftInput {
  folders: ReadonlyArray<string>;
  files: ReadonlyArray<string>;
  patterns: ReadonlyArray<string>;
}

/** Numbers are kept as they were typed, so that half a number is not lost; "" is "as by default". */
export interface Draft {
  input: DraftInput;
  source: ModelSource | null;
  /** Fields of every source that was looked at, by the names of the contract. */
  models: Record<ModelSource, Fields>;
  name: string;
  outputFolder: string;
  formats: ReadonlyArray<string>;
  layout: string;
  threshold: string;
  topK: string;
  overlap: string;
  classes: string;
  batchSize: string;
  workers: string;
  device: string;
  precision: string;
  activation: string;
  plan: string;
  trust: boolean;
}

export type Fields = Readonly<Record<string, string>>;

export const EMPTY_DRAFT: Draft = {
  input: { folders: [], files: [], patterns: [] },
  source: null,
  models: { zoo: {}, checkpoint: {}, onnx: {}, python: {}, ribbit: {}, cwt: {} },
  name: "",
  outputFolder: "",
  formats: ["csv"],
  layout: "auto",
  threshold: "",
  topK: "",
  overlap: "",
  classes: "",
  batchSize: "",
  workers: "",
  device: "",
  precision: "float32",
  activation: "none",
  plan: "auto",
  trust: false,
};

const KEY = "dipper.new-run";

/** The draft of the last visit, or an empty one where there is none or it cannot be read. */
export function readDraft(storage: Pick<Storage, "getItem">): Draft {
  try {
    return complete(JSON.parse(storage.getItem(KEY) ?? "null"));
  } catch {
    return EMPTY_DRAFT;
  }
}

/** Long lists of files may not fit into the storage: then the draft lives as long as the page. */
export function writeDraft(storage: Pick<Storage, "setItem">, draft: Draft): void {
  try {
    storage.setItem(KEY, JSON.stringify(draft));
  } catch {
    return;
  }
}

function complete(stored: unknown): Draft {
  if (typeof stored !== "object" || stored === null) return EMPTY_DRAFT;
  const draft = { ...EMPTY_DRAFT, ...stored };
  const isSame = Object.entries(EMPTY_DRAFT).every(([name, value]) => hasKindOf(draft[name as keyof Draft], value));
  if (!isSame) return EMPTY_DRAFT;
  return { ...draft, input: { ...EMPTY_DRAFT.input, ...draft.input }, models: { ...EMPTY_DRAFT.models, ...draft.models } };
}

function hasKindOf(value: unknown, like: unknown): boolean {
  if (like === null) return value === null || typeof value === "string";
  return typeof value === typeof like && Array.isArray(value) === Array.isArray(like) && value !== null;
}
