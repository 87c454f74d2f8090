// The logic of New run: what a draft makes, what is wrong with it, what it may take, what a scan adds up to.
import { describe, expect, it } from "vitest";
import type { Job, ScannedFile } from "../../../generated/contract.js";
import { configOf, draftOf, EMPTY_DRAFT, parse } from "./draft.js";
import type { Draft } from "./draft.js";
import { costPerSecond } from "./estimate.js";
import { placeOf, schemaProblems } from "./problems.js";
import { addRows, NOTHING } from "./scans.js";

const ZOO: Draft = { ...EMPTY_DRAFT, folders: ["/a"], zooName: "BirdNET", texts: { "inference.batchSize": "8" } };

describe("a draft", () => {
  it("makes a config and comes back from it", () => {
    const config = configOf(ZOO);
    expect(config).toEqual({ model: { source: "zoo", name: "BirdNET" }, input: { folders: ["/a"], files: [] }, inference: { batchSize: 8 } });
    expect(draftOf(config as never)).toEqual({ draft: ZOO, lost: [] });
  });

  it("reads ranges with ends below zero and keeps what it cannot read", () => {
    expect(parse("-5 to 20", "range")).toEqual([-5, 20]);
    expect(parse("loud", "number")).toBe("loud");
    expect(parse(" ", "number")).toBeUndefined();
  });
});

describe("problems", () => {
  it("name what is missing and the field that is wrong", () => {
    expect(Object.keys(schemaProblems(EMPTY_DRAFT))).toEqual(expect.arrayContaining(["input", "model"]));
    expect(schemaProblems({ ...ZOO, texts: { "inference.batchSize": "-1" } })["inference.batchSize"]).toMatch(/\d/);
    expect(schemaProblems(ZOO)["inference.batchSize"]).toBeUndefined();
  });

  it("of the sidecar find their field", () => {
    expect(placeOf({ ...ZOO, source: "ribbit" }, "$.model.signalBandHz[0]")).toMatch(/^model/);
    expect(placeOf(ZOO, "$.input.folders[2]")).toBe("input");
  });
});

it("a run's cost is learnt from completed jobs of the same model alone", () => {
  const job = { state: "completed", model: "m", clips: 10, startedAt: "2026-01-01T00:00:00Z", endedAt: "2026-01-01T00:00:15Z" } as Job;
  expect(costPerSecond([job, { ...job, model: "n", clips: 1 }, { ...job, state: "failed", clips: 1 }], "m", 3)).toBe(0.5);
  expect(costPerSecond([], "m", 3)).toBeNull();
});

it("a scan adds up sound, bytes, rates and problems", () => {
  const row = { path: "/a/b.wav", sizeBytes: 100, durationSeconds: 60, sampleRate: 48000, problem: null } as ScannedFile;
  const totals = addRows(NOTHING, [row, { ...row, sampleRate: 24000, durationSeconds: null, problem: "cut short" }]);
  expect(totals).toMatchObject({ count: 2, bytes: 200, seconds: 60, sampleRates: [24000, 48000], problems: [{ path: "/a/b.wav", reason: "cut short" }] });
});
