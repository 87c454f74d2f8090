// Where times and frequencies stand in a spectrogram, as fractions of its width and height.
import type { SpectrogramSettings } from "../../../generated/contract.js";

export type Scale = NonNullable<SpectrogramSettings["scale"]>;

export interface Tick {
  /** 0..1 from the left, or from the bottom. */
  place: number;
  label: string;
}

/** Hz to mel: 2595 log10(1 + f / 700), as O'Shaughnessy (1987) has it. */
export function melOf(hertz: number): number {
  return 2595 * Math.log10(1 + hertz / 700);
}

/** Where a frequency stands, 0 at the lower and 1 at the upper edge; both edges in Hz. */
export function frequencyPlace(hertz: number, [low, high]: readonly [number, number], scale: Scale): number {
  const warp = WARP[scale];
  const [bottom, top] = [warp(low), warp(high)];
  return (warp(hertz) - bottom) / (top - bottom);
}

const WARP: Record<Scale, (hertz: number) => number> = {
  linear: (hertz) => hertz,
  mel: melOf,
  log: (hertz) => Math.log(Math.max(hertz, 1e-3)),
};

export function frequencyTicks(range: readonly [number, number], scale: Scale, count = 8): ReadonlyArray<Tick> {
  return frequencies(range, scale, count).map((hertz) => ({ place: frequencyPlace(hertz, range, scale), label: frequencyLabel(hertz) }));
}

/** Times are seconds from the start of the file. */
export function timeTicks([start, end]: readonly [number, number], count = 8): ReadonlyArray<Tick> {
  const step = niceStep((end - start) / count);
  const decimals = Math.max(0, Math.min(3, Math.ceil(-Math.log10(step) - 1e-9)));
  return multiples(start, end, step).map((seconds) => ({ place: (seconds - start) / (end - start), label: `${seconds.toFixed(decimals)} s` }));
}

/** 1, 2 or 5 times a power of ten, at least `step`. */
export function niceStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  return power * ([1, 2, 5].find((digit) => digit * power >= step * (1 - 1e-9)) ?? 10);
}

function frequencies([low, high]: readonly [number, number], scale: Scale, count: number): ReadonlyArray<number> {
  if (scale === "linear") return multiples(low, high, niceStep((high - low) / count));
  const decades = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000];
  return decades.filter((hertz) => hertz >= low && hertz <= high);
}

function multiples(from: number, to: number, step: number): ReadonlyArray<number> {
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.floor(to / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => (first + index) * step);
}

function frequencyLabel(hertz: number): string {
  return hertz >= 1000 ? `${Number((hertz / 1000).toFixed(2))} kHz` : `${Math.round(hertz)} Hz`;
}
