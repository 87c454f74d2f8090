// A run as it is being written: what stands in the form, as text, and the config that it makes.
import type { Config } from "../../../generated/contract.js";
import { ADVANCED_FIELDS, BASIC_FIELDS, MODEL_FIELDS } from "./fields.js";
import type { Field, Kind, Source } from "./fields.js";

const KEY = "dipper.run";

export interface Draft {
  folders: ReadonlyArray<string>;
  files: ReadonlyArray<string>;
  source: Source;
  /** The model of the zoo. */
  zooName: string;
  /** What was typed, by the place of its field; fields of models have the source before them: "ribbit model.className". */
  texts: Readonly<Record<string, string>>;
}

/** What the form keeps beside its fields. */
const FORM_PLACES: ReadonlySet<string> = new Set(["schemaVersion", "model.source", "input.folders", "input.files"]);

export const EMPTY_DRAFT: Draft = { folders: [], files: [], source: "zoo", zooName: "", texts: {} };

export function textOf(draft: Draft, field: Field): string {
  return draft.texts[keyOf(draft.source, field)] ?? "";
}

export function withText(draft: Draft, field: Field, text: string): Draft {
  return { ...draft, texts: { ...draft.texts, [keyOf(draft.source, field)]: text } };
}

/** The fields that this draft shows. */
export function fieldsOf(draft: Draft): ReadonlyArray<Field> {
  return [...MODEL_FIELDS[draft.source], ...BASIC_FIELDS, ...ADVANCED_FIELDS];
}

/** The config as far as it is written; whether it is one is for the schemas to say. */
export function configOf(draft: Draft): Record<string, unknown> {
  const config: Record<string, unknown> = {
    model: { source: draft.source, ...(draft.source === "zoo" ? { name: draft.zooName } : {}) },
    input: { folders: draft.folders, files: draft.files },
  };
  for (const field of fieldsOf(draft)) {
    const value = parse(textOf(draft, field), field.kind);
    if (value !== undefined) put(config, field.place.split("."), value);
  }
  return config;
}

/** The draft that would make this config; what the form has no field for is lost, and named. */
export function draftOf(config: Config): { draft: Draft; lost: ReadonlyArray<string> } {
  const { model } = config;
  const zooName = model.source === "zoo" ? model.name : "";
  let draft: Draft = { ...EMPTY_DRAFT, folders: config.input.folders ?? [], files: config.input.files ?? [], source: model.source, zooName };
  for (const field of fieldsOf(draft)) {
    const value = at(config, field.place.split("."));
    if (value !== undefined && value !== null) draft = withText(draft, field, unparse(value, field.kind));
  }
  return { draft, lost: placesOf(config).filter((place) => !isKept(place, draft)) };
}

/** Where something stands in a config: "inference.plan". */
function placesOf(config: Config): ReadonlyArray<string> {
  return Object.entries(config).flatMap(([room, value]) =>
    typeof value === "object" ? Object.entries(value as object).flatMap(([name, item]) => (isEmpty(item) ? [] : [`${room}.${name}`])) : [room],
  );
}

function isKept(place: string, draft: Draft): boolean {
  return FORM_PLACES.has(place) || fieldsOf(draft).some((field) => field.place === place) || (place === "model.name" && draft.source === "zoo");
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === "object" && Object.keys(value).length === 0);
}

/** The draft of last time, so that nothing is lost when the page is left or the app closed. */
export function loadDraft(): Draft {
  try {
    return { ...EMPTY_DRAFT, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Draft>) };
  } catch {
    return EMPTY_DRAFT;
  }
}

export function keepDraft(draft: Draft): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(draft));
  } catch {
    localStorage.removeItem(KEY); // a list of files that is too long to be kept; the page itself still has it
  }
}

/** What a text means; undefined where nothing was typed, the text itself where it cannot be read, for the schema to refuse. */
export function parse(text: string, kind: Kind): unknown {
  const trimmed = text.trim();
  if (trimmed === "") return undefined;
  switch (kind) {
    case "number":
      return numberOr(trimmed);
    case "auto-number":
      return trimmed === "auto" ? "auto" : numberOr(trimmed);
    case "range":
      return rangeOr(trimmed);
    case "ranges":
      return linesOf(trimmed).map(rangeOr);
    case "lines":
      return linesOf(trimmed);
    case "formats":
      return trimmed === "none" ? [] : trimmed.split(",");
    default:
      return trimmed;
  }
}

function unparse(value: unknown, kind: Kind): string {
  if (kind === "range") return (value as ReadonlyArray<number>).join("-");
  if (kind === "ranges") return (value as ReadonlyArray<ReadonlyArray<number>>).map((range) => range.join("-")).join("\n");
  if (kind === "lines") return (value as ReadonlyArray<string>).join("\n");
  if (kind === "formats") return (value as ReadonlyArray<string>).join(",") || "none";
  return String(value as string | number);
}

function numberOr(text: string): number | string {
  const number = Number(text);
  return Number.isFinite(number) ? number : text;
}

/** "200-2000", "200 to 2000", "200 2000"; ends may be negative. */
function rangeOr(text: string): ReadonlyArray<number> | string {
  const match = /^(-?[\d.]+)\s*(?:-|to|,|\s)\s*(-?[\d.]+)$/.exec(text);
  const range = match?.slice(1).map(Number);
  return range?.every(Number.isFinite) ? range : text;
}

function linesOf(text: string): ReadonlyArray<string> {
  return text.split("\n").map((line) => line.trim()).filter(Boolean);
}

function keyOf(source: Source, field: Field): string {
  return field.place.startsWith("model.") ? `${source} ${field.place}` : field.place;
}

function put(target: Record<string, unknown>, [first = "", ...rest]: ReadonlyArray<string>, value: unknown): void {
  if (rest.length === 0) target[first] = value;
  else put((target[first] ??= {}) as Record<string, unknown>, rest, value);
}

function at(value: unknown, [first, ...rest]: ReadonlyArray<string>): unknown {
  if (first === undefined) return value;
  return typeof value === "object" && value !== null ? at((value as Record<string, unknown>)[first], rest) : undefined;
}
