import { resolve } from "node:path";
import { expect, it } from "vitest";
import { openedPath } from "./open-path.js";

it("finds the file among the arguments", () => {
  expect(openedPath(["dipper", "--no-sandbox", "scores.csv"], 1, resolve("/data"))).toBe(resolve("/data/scores.csv"));
  expect(openedPath(["electron", ".", resolve("/a b.csv")], 2, resolve("/data"))).toBe(resolve("/a b.csv"));
});

it("finds none where there is none", () => {
  expect(openedPath(["dipper", "--hidden"], 1, "/")).toBeNull();
  expect(openedPath(["electron", "."], 2, "/")).toBeNull();
});
