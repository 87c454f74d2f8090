import { expect, test } from "vitest";
import { numberOf, rangeOf, rangeProblem } from "./ranges.js";

test("a range goes from lower to higher", () => {
  expect(rangeOf(-80, -20)).toEqual([-80, -20]);
  expect(rangeProblem(-80, -20)).toBeNull();
});

test("a range that is the wrong way round, or empty, is not kept and says why", () => {
  expect(rangeOf(8000, 500)).toBeNull();
  expect(rangeOf(500, 500)).toBeNull();
  expect(rangeProblem(8000, 500)).toContain("lower");
});

test("a range with one end is not kept", () => {
  expect(rangeOf("", 500)).toBeNull();
  expect(rangeProblem(0, "")).toContain("Both");
});

test("zero is a number, an empty field and a lone sign are none", () => {
  expect(numberOf(0)).toBe(0);
  expect(numberOf("0")).toBe(0);
  expect(numberOf("")).toBe("");
  expect(numberOf("-")).toBe("");
});
