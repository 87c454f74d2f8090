import { describe, expect, it } from "vitest";
import { moved, within, withContext, zoomed } from "./clip-view.js";

describe("a stretch of a recording", () => {
  it("has context, but none from before the recording", () => {
    expect(withContext({ start: 5, end: 8 })).toEqual({ start: 4, end: 9 });
    expect(withContext({ start: 0.5, end: 3 })).toEqual({ start: 0, end: 4 });
  });
  it("zooms about a point that stays where it is", () => {
    const near = zoomed({ start: 10, end: 20 }, 0.5, 12);
    expect(near).toEqual({ start: 11, end: 16 });
    expect((12 - near.start) / (near.end - near.start)).toBeCloseTo(0.2);
  });
  it("zooms in and out only so far", () => {
    const shortest = zoomed({ start: 1, end: 1.06 }, 0.01);
    expect(shortest.end - shortest.start).toBeCloseTo(0.05);
    const longest = zoomed({ start: 0, end: 500 }, 100);
    expect(longest.end - longest.start).toBeCloseTo(600);
  });
  it("does not move out of the recording", () => {
    expect(moved({ start: 1, end: 5 }, -0.5)).toEqual({ start: 0, end: 4 });
    expect(within({ start: 56, end: 61 }, 60)).toEqual({ start: 55, end: 60 });
    expect(within({ start: 70, end: 75 }, 60)).toEqual({ start: 55, end: 60 });
  });
  it("is no longer than the recording, whose length may not be known yet", () => {
    expect(within({ start: 2, end: 30 }, 10)).toEqual({ start: 0, end: 10 });
    expect(within({ start: 2, end: 30 }, undefined)).toEqual({ start: 2, end: 30 });
  });
});
