// What is wrong with a draft, field by field: by the JSON Schema of config files at once, by the sidecar a moment later.
import { Validator } from "@cfworker/json-schema";
import type { Schema } from "@cfworker/json-schema";
import schema from "../../../../../schemas/json/config-file.json";
import { fieldsOf, parse, textOf } from "./draft.js";
import type { Draft } from "./draft.js";
import { SOURCE_DEFINITION } from "./fields.js";
import type { Field } from "./fields.js";

/** Messages by the place of their field; "input", "model" and "" are for what has none. */
export type Problems = Readonly<Record<string, string>>;

interface Definition {
  properties?: Record<string, Schema>;
  required?: ReadonlyArray<string>;
}

// As TypeScript reads the file, "string" is any text.
const definitions = schema.$defs as unknown as Record<string, Definition>;

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
  return Object.fromEntries([...missing, ...found]);
}

/** Where an error of the sidecar belongs: "$.model.signalBandHz[0]" is at "model.signalBandHz". */
export function placeOf(draft: Draft, path: string): string {
  const place = path.replace(/^\$\.?/, "").replace(/\[\d+\]/g, "");
  if (fieldsOf(draft).some((field) => field.place === place)) return place;
  const [room = ""] = place.split(".");
  return room === "model" || room === "input" ? room : "";
}

function schemaPlace(draft: Draft, field: Field): [Definition | undefined, string] {
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
  const measured = unit ? `, in ${unit}` : "";
  if (kind === "range") return `Two numbers: 200-2000${measured}.`;
  if (kind === "ranges") return `Two numbers a line: 200-2000${measured}.`;
  if (own.pattern) return `It looks like this: ${own.description ?? own.pattern}.`;
  const { minimum, maximum } = (own.anyOf ?? [own]).find((option) => option.minimum !== undefined) ?? own;
  if (minimum !== undefined && maximum !== undefined) return `From ${minimum} to ${maximum}${measured}.`;
  if (minimum !== undefined) return `At least ${minimum}${measured}.`;
  return kind === "number" || kind === "auto-number" ? `A number${measured}.` : "This is too long.";
}
