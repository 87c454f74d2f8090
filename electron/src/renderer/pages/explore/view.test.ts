import { describe, expect, it } from "vitest";
import { arrange } from "./class-list.js";
import { barHeights } from "./score-histogram.js";
import { parseView, viewParams } from "./view.js";
import type { View } from "./view.js";

const VIEW: View = { className: "Wood Thrush", scoreRange: [-1.5, 2], order: "stratified", seed: 3, groupBy: "site" };

describe("the view in the address", () => {
  it("comes back as it went in", () => {
    const given = Object.entries(viewParams(VIEW)).map(([name, value]) => [name, String(value)]);
    expect(parseView(new URLSearchParams(given), "another")).toEqual(VIEW);
  });
  it("has defaults for what is missing or makes no sense", () => {
    const wrong = new URLSearchParams("low=3&high=1&order=sideways&seed=-4&group=mood");
    expect(parseView(wrong, "first")).toEqual({ className: "first", scoreRange: null, order: "highest", seed: 0, groupBy: null });
    expect(parseView(new URLSearchParams("low=abc&high=1"), "first").scoreRange).toBeNull();
  });
});

describe("classes", () => {
  const classes = [
    { name: "species 10", count: 4, max: null, mean: null, min: null },
    { name: "species 9", count: 4, max: -2, mean: -3, min: -4 },
    { name: "Wren", count: 4, max: 5, mean: -9, min: -20 },
  ];
  const names = (...rest: [string, "max" | "mean" | "name"]) => arrange(classes, ...rest).map(({ name }) => name);
  it("stand by score, those without any last", () => {
    expect(names("", "max")).toEqual(["Wren", "species 9", "species 10"]);
    expect(names("", "mean")).toEqual(["species 9", "Wren", "species 10"]);
  });
  it("stand by name as people count", () => {
    expect(names("SPECIES", "name")).toEqual(["species 9", "species 10"]);
  });
});

describe("bars of the histogram", () => {
  it("show a single score beside a million", () => {
    expect(barHeights([1_000_000, 1, 0], 64)).toEqual([64, 1, 0]);
  });
  it("are all flat where nothing is", () => {
    expect(barHeights([0, 0], 64)).toEqual([0, 0]);
  });
});
