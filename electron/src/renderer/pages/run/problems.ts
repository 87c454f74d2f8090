// What is wrong with a draft, field by field: by the JSON Schema of config files at once, by the sidecar a moment later.
import { Validator } from "@cfworker/json-schema";
import type { Schema } from "@cfworker/json-schema";
import schema from "../../../../../schemas/json/config-file.json";
import { configOf, fieldsOf, parse, textOf } from "./draft.js";
import type { Draft } from "./draft.js";
import { SOURCE_DEFINITION } from "./fields.js";
import type { Field } from "./fields.js";

/** Messages by the place of their field; "" is for what has no field. */
export type Problems = Readonly<Record<string, string>>;

const definitions: Record<string, { properties?: Record<string, Schema>; required?: ReadonlyArray<string> }> = schema.$defs;

/** What a field's text may not be, by its own schema; null where it may. */
export function fieldProblem(draft: Draft, field: Field): string | null {
  const [definition, name] = schemaPlace(draft, field);
  const value = parse(textOf(draft, field), field.kind);
  if (value === undefined) return definition?.required?.includes(name) ? "This is needed." : null;
  const own = definition?.properties?.[name];
  if (!own || new Validator(own, "2020-12").validate(value).valid) return orderProblem(value, field);
  return wordsFor(own, field);
}

/** Every problem that the schema sees. */
export function schemaProblems(draft: Draft): Problems {
  const found = fieldsOf(draft).flatMap((field) => {
    const problem = fieldProblem(draft, field);
    return problem === null ? [] : [[field.place, problem] as const];
  });
  const missing: [string, string][] = [];
  if (draft.folders.length + draft.files.length === 0) missing.push(["input", "Choose recordings."]);
  if (draft.source === "zoo" && draft.zooName === "") missing.push(["model", "Choose a model."]);
  return Object.fromEntries([...found, ...missing]);
}

/** The sidecar's errors, at the fields that they concern: "$.model.signalBandHz[0]" is at "model.signalBandHz". */
export function placeOf(draft: Draft, path: string): string {
  const place = path.replace(/^\$\.?/, "").replace(/\[\d+\]/g, "");
  const known = fieldsOf(draft).map((field) => field.place);
  if (known.includes(place)) return place;
  const [room = ""] = place.split(".");
  return room === "model" || room === "input" ? room : "";
}

export function isComplete(draft: Draft): boolean {
  return Object.keys(schemaProblems(draft)).length === 0 && Object.keys(configOf(draft)).length > 0;
}

function schemaPlace(draft: Draft, field: Field): [(typeof definitions)[string] | undefined, string] {
  const [room = "", name = room] = field.place.split(".");
  const title = { model: SOURCE_DEFINITION[draft.source], inference: "InferenceConfig", output: "OutputConfig" }[room] ?? "Config";
  return [definitions[title], name];
}

/** The lower end of a range comes first, which JSON Schema cannot say. */
function orderProblem(value: unknown, { kind }: Field): string | null {
  const ranges = kind === "range" ? [value] : kind === "ranges" ? (value as ReadonlyArray<unknown>) : [];
  const isTurned = ranges.some((range) => Array.isArray(range) && Number(range[0]) >= Number(range[1]));
  return isTurned ? "The lower end comes first." : null;
}

function wordsFor(own: Schema, { kind, unit }: Field): string {
  const of = unit ? `, in ${unit}` : "";
  if (kind === "range") return `Two numbers: 200-2000${of}.`;
  if (kind === "ranges") return `Two numbers a line: 200-2000${of}.`;
  const { minimum, maximum, pattern } = limitsOf(own);
  if (pattern) return `It looks like this: ${own.description ?? pattern}.`;
  if (minimum !== undefined && maximum !== undefined) return `From ${minimum} to ${maximum}${of}.`;
  if (minimum !== undefined) return `At least ${minimum}${of}.`;
  return kind === "number" || kind === "auto-number" ? `A number${of}.` : "This is too long.";
}

function limitsOf(own: Schema): { minimum?: number | undefined; maximum?: number | undefined; pattern?: string | undefined } {
  const options: ReadonlyArray<Schema> = own.anyOf ?? [own];
  const limited = options.find((option) => option.minimum !== undefined) ?? own;
  return { minimum: limited.minimum ?? limited.exclusiveMinimum, maximum: limited.maximum, pattern: own.pattern };
}
