// What is wrong with a config, by field, in plain words: from the JSON Schema at once, from config/validate a moment later.
// A field is named like "inference.batchSize".
import { Validator } from "@cfworker/json-schema";
import type { Schema } from "@cfworker/json-schema";
import type { Config, ConfigProblem } from "../../../generated/contract.js";
import file from "../../../../../schemas/json/config-file.json";
import type { UncheckedConfig } from "./config.js";
import type { ModelSource } from "./draft.js";
import { expectationOf } from "./expectation.js";
import type { Property } from "./expectation.js";

export type Problems = Readonly<Record<string, string>>;

interface Part {
  properties: Record<string, Property>;
  required?: ReadonlyArray<string>;
}

const PARTS: Record<string, Part> = file.$defs as Record<string, never>;
const MODEL_PARTS: Record<ModelSource, string> = {
  zoo: "ZooModel",
  checkpoint: "CheckpointModel",
  onnx: "OnnxModel",
  python: "PythonModel",
  ribbit: "RibbitModel",
  cwt: "CwtModel",
};
const validators = new Map<string, Validator>();

/** Every fault that the schema knows of. None means that `config` is a Config. */
export function problemsOf(config: UncheckedConfig): Problems {
  const source = config.model["source"];
  const part = MODEL_PARTS[source as ModelSource];
  return {
    ...(part === undefined ? { "model.source": "Choose a model." } : faultsOf(part, config.model, "model.")),
    ...faultsOf("OutputConfig", config["output"], "output."),
    ...faultsOf("InferenceConfig", config["inference"], "inference."),
    ...faultsOf("InputConfig", config["input"], "input."),
    ...(hasInput(config["input"]) ? {} : { input: "Choose recordings." }),
    ...nameFault(config["name"]),
    ...formatFault(config["output"]),
  };
}

export function isConfig(config: unknown, problems: Problems): config is Config {
  return Object.keys(problems).length === 0 && config !== undefined;
}

/** The faults that config/validate found: the first of each field. */
export function problemsByField(errors: ReadonlyArray<ConfigProblem>): Problems {
  const found: Record<string, string> = {};
  for (const { path, message } of errors) found[fieldOf(path)] ??= message;
  return found;
}

/** "$.model.signalBandHz[0]" is of the field "model.signalBandHz"; "$" is of none, "". */
export function fieldOf(path: string): string {
  return path.replace(/^\$\.?/, "").replace(/\[.*$/, "").split(".").slice(0, 2).join(".");
}

function faultsOf(name: string, value: unknown, prefix: string): Record<string, string> {
  const part = PARTS[name];
  if (part === undefined || typeof value !== "object" || value === null) return {};
  const faults: Record<string, string> = {};
  for (const field of part.required ?? []) {
    if (!(field in value)) faults[prefix + field] = "This is needed.";
  }
  for (const { instanceLocation } of validatorOf(name).validate(value).errors) {
    const field = instanceLocation.split("/")[1];
    const property = field === undefined ? undefined : part.properties[field];
    if (property !== undefined) faults[prefix + field] = expectationOf(property);
  }
  return faults;
}

function validatorOf(name: string): Validator {
  const known = validators.get(name);
  if (known !== undefined) return known;
  const schema = { $schema: file.$schema, $ref: `#/$defs/${name}`, $defs: file.$defs } as unknown as Schema;
  const made = new Validator(schema, "2020-12", false);
  validators.set(name, made);
  return made;
}

function hasInput(input: unknown): boolean {
  return Object.values(input ?? {}).some((paths) => Array.isArray(paths) && paths.length > 0);
}

function nameFault(name: unknown): Problems {
  return typeof name === "string" && name.length > 200 ? { name: "A name has at most 200 characters." } : {};
}

function formatFault(output: unknown): Problems {
  const isEmpty = typeof output === "object" && output !== null && "formats" in output && Array.isArray(output.formats) && output.formats.length === 0;
  return isEmpty ? { "output.formats": "Choose at least one format." } : {};
}
