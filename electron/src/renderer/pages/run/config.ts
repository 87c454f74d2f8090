// Draft to config and back. A field that is empty is left out, so that its default holds.
import type { Config } from "../../../generated/contract.js";
import { EMPTY_DRAFT } from "./draft.js";
import type { Draft, Fields, ModelSource } from "./draft.js";
import { formatField, MODEL_FIELDS, parseField, parseList, parseNumber } from "./model-fields.js";

/** A config that may still have faults: what was typed stands where a value should. */
export type UncheckedConfig = { model: Record<string, unknown> } & Record<string, unknown>;

const NO_VALUE = "none";

export function toConfig(draft: Draft): UncheckedConfig {
  const { input } = draft;
  return {
    model: draft.source === null ? {} : toModel(draft.source, draft.models[draft.source]),
    input: { folders: input.folders, files: input.files, ...(input.patterns.length > 0 && { patterns: input.patterns }) },
    output: given({
      folder: draft.outputFolder.trim(),
      formats: draft.formats,
      layout: draft.layout,
      threshold: number(draft.threshold),
      topK: number(draft.topK),
    }),
    schemaVersion: 1,
    ...given({ name: draft.name.trim() }),
    inference: given({
      clipOverlapSeconds: number(draft.overlap),
      batchSize: numberOrAuto(draft.batchSize),
      workers: numberOrAuto(draft.workers),
      activation: draft.activation,
      device: draft.device.trim(),
      precision: draft.precision,
      plan: draft.plan,
      classes: draft.classes.trim() === "" ? undefined : parseList(draft.classes),
    }),
  };
}

/** Only the model's part of it, for models/prepare. */
export function toModel(source: ModelSource, fields: Fields): Record<string, unknown> {
  const model: Record<string, unknown> = { source };
  if (source === "zoo") model["name"] = fields["name"] ?? "";
  for (const { name, kind } of MODEL_FIELDS[source]) {
    const text = fields[name]?.trim() ?? "";
    if (text === NO_VALUE && source === "cwt") model[name] = null;
    else if (text !== "") model[name] = parseField(kind, text);
  }
  return model;
}

/** The draft that would give this config. Models of other sources stay as they were typed. */
export function toDraft(config: Config, before: Draft = EMPTY_DRAFT): Draft {
  const { model, input, output, inference = {} } = config;
  return {
    input: { folders: input.folders ?? [], files: input.files ?? [], patterns: input.patterns ?? [] },
    source: model.source,
    models: { ...before.models, [model.source]: toFields(model) },
    name: config.name ?? "",
    outputFolder: output.folder,
    formats: output.formats ?? EMPTY_DRAFT.formats,
    layout: output.layout ?? EMPTY_DRAFT.layout,
    threshold: text(output.threshold),
    topK: text(output.topK),
    overlap: text(inference.clipOverlapSeconds),
    classes: formatField("list", inference.classes),
    batchSize: text(inference.batchSize),
    workers: text(inference.workers),
    device: inference.device ?? "",
    precision: inference.precision ?? EMPTY_DRAFT.precision,
    activation: inference.activation ?? EMPTY_DRAFT.activation,
    plan: inference.plan ?? EMPTY_DRAFT.plan,
    trust: false,
  };
}

function toFields(model: Config["model"]): Fields {
  const values: Record<string, unknown> = { ...model };
  const fields: Record<string, string> = model.source === "zoo" ? { name: model.name } : {};
  for (const { name, kind } of MODEL_FIELDS[model.source]) {
    const isSwitchedOff = values[name] === null && model.source === "cwt";
    fields[name] = isSwitchedOff ? NO_VALUE : formatField(kind, values[name]);
  }
  return fields;
}

/** Whether the model's own code runs, which needs the user's word. */
export function needsTrust(source: ModelSource | null): boolean {
  return source === "python" || source === "checkpoint";
}

function given(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== ""));
}

function number(typed: string): number | string | undefined {
  return typed.trim() === "" ? undefined : parseNumber(typed.trim());
}

function numberOrAuto(typed: string): number | string | undefined {
  return typed.trim() === "auto" ? "auto" : number(typed);
}

function text(value: number | string | null | undefined): string {
  return value === null || value === undefined || value === "auto" ? "" : String(value);
}
