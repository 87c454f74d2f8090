import { describe, expect, it } from "vitest";
import { frequencyPlace, frequencyTicks, melOf, niceStep, timeTicks } from "./axes.js";

describe("frequencies", () => {
  it("stand in proportion on a linear scale", () => {
    expect(frequencyPlace(6000, [2000, 10_000], "linear")).toBeCloseTo(0.5);
  });
  it("follow 2595 log10(1 + f / 700) on a mel scale", () => {
    expect(melOf(1000)).toBeCloseTo(999.99, 1);
    expect(frequencyPlace(1000, [0, 8000], "mel")).toBeCloseTo(999.9856 / 2840.0231, 4);
  });
  it("have octaves of one size on a logarithmic scale", () => {
    const [low, middle, high] = [100, 200, 400].map((hertz) => frequencyPlace(hertz, [50, 12_800], "log"));
    expect((middle ?? 0) - (low ?? 0)).toBeCloseTo((high ?? 0) - (middle ?? 0));
  });
  it("are labelled in Hz and kHz, all within the picture", () => {
    const ticks = frequencyTicks([0, 16_000], "linear");
    expect(ticks.map(({ label }) => label)).toEqual(["0 Hz", "2 kHz", "4 kHz", "6 kHz", "8 kHz", "10 kHz", "12 kHz", "14 kHz", "16 kHz"]);
    expect(ticks.every(({ place }) => place >= 0 && place <= 1)).toBe(true);
    expect(frequencyTicks([50, 16_000], "log").map(({ label }) => label)).toContain("500 Hz");
  });
});

describe("times", () => {
  it("are those of the file", () => {
    expect(timeTicks([4, 9]).map(({ label }) => label)).toEqual(["4 s", "5 s", "6 s", "7 s", "8 s", "9 s"]);
  });
  it("have as many decimals as a short stretch needs", () => {
    const labels = timeTicks([1.02, 1.1]).map(({ label }) => label);
    expect(labels[0]).toBe("1.02 s");
    expect(new Set(labels).size).toBe(labels.length);
  });
  it("step by 1, 2 or 5", () => {
    expect([0.3, 1.4, 3, 7].map(niceStep)).toEqual([0.5, 2, 5, 10]);
  });
});
