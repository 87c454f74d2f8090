// What part of a recording the clip page shows, and how: kept in the page's address and moved by keys.
import type { AudioSettings, SpectrogramSettings } from "../../../generated/contract.js";
import type { Colormap, Settings } from "../../../shared/api.js";
import type { Scale } from "./axes.js";

const SHORTEST_SECONDS = 0.05;
const LONGEST_SECONDS = 600;
const CONTEXT_SECONDS = 1;

/** A stretch of a recording, in seconds from its start. */
export interface Stretch {
  start: number;
  end: number;
}

/** How the spectrogram is drawn and the sound prepared. Frequencies in Hz, levels in dB. */
export interface Look {
  colormap: Colormap;
  decibelRange: [number, number] | "auto";
  frequencyRangeHz: [number, number] | null;
  scale: Scale;
  windowSamples: number;
  highpassHz: number | null;
  lowpassHz: number | null;
  speed: number;
}

export function lookOf({ colormap, decibelRange, frequencyRangeHz }: Settings): Look {
  return { colormap, decibelRange, frequencyRangeHz, scale: "linear", windowSamples: 512, highpassHz: null, lowpassHz: null, speed: 1 };
}

export function spectrogramOf(look: Look, widthPixels: number, heightPixels: number): SpectrogramSettings {
  const { colormap, decibelRange, frequencyRangeHz, scale, windowSamples } = look;
  return { colormap, decibelRange, frequencyRangeHz, scale, windowSamples, overlapFraction: 0.75, widthPixels, heightPixels };
}

export function audioOf({ highpassHz, lowpassHz }: Look): AudioSettings {
  return { highpassHz, lowpassHz };
}

/** Within the recording, as long as before where it is long enough; unchanged while nobody knows how long it is. */
export function within({ start, end }: Stretch, durationSeconds: number | undefined): Stretch {
  if (!durationSeconds) return { start, end };
  const length = Math.min(end - start, durationSeconds);
  const from = Math.max(0, Math.min(start, durationSeconds - length));
  return { start: from, end: from + length };
}

/** A detection with a little of what is around it. */
export function withContext({ start, end }: Stretch): Stretch {
  return { start: Math.max(0, start - CONTEXT_SECONDS), end: end + CONTEXT_SECONDS };
}

/** Longer (`factor` > 1) or shorter, about `centre`. */
export function zoomed({ start, end }: Stretch, factor: number, centre = (start + end) / 2): Stretch {
  const length = Math.min(LONGEST_SECONDS, Math.max(SHORTEST_SECONDS, (end - start) * factor));
  const before = ((centre - start) / (end - start)) * length;
  return fromZero({ start: centre - before, end: centre - before + length });
}

/** Moved by a fraction of its length. */
export function moved({ start, end }: Stretch, fraction: number): Stretch {
  const step = (end - start) * fraction;
  return fromZero({ start: start + step, end: end + step });
}

function fromZero({ start, end }: Stretch): Stretch {
  return start < 0 ? { start: 0, end: end - start } : { start, end };
}
