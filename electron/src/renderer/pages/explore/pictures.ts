// Spectrograms of detections: asked for in batches as they come into sight, cancelled when they leave it, kept for a while.
import { useSyncExternalStore } from "react";
import type { BatchClip, SpectrogramSettings } from "../../../generated/contract.js";
import { call } from "../../api/client.js";
import type { Found } from "./detections.js";

const KEPT = 1200;
const BATCH = 24;

export type Picture = { kind: "shown"; address: string } | { kind: "failed"; message: string };

export function pictureKey(found: Found): string {
  return `${found.path}\n${found.startSeconds}\n${found.endSeconds}`;
}

/** The pictures drawn with one set of settings. */
export class Pictures {
  private readonly drawn = new Map<string, Picture>();
  private readonly listeners = new Map<string, Set<() => void>>();
  private wanted: ReadonlyArray<Found> = [];
  private batch: { keys: ReadonlySet<string>; controller: AbortController } | null = null;

  constructor(private readonly spectrogram: SpectrogramSettings) {}

  get(key: string): Picture | undefined {
    return this.drawn.get(key);
  }

  /** What failed may be tried again: a recording may be back, or the sidecar. */
  forgetFailures(): void {
    for (const [key, picture] of this.drawn) if (picture.kind === "failed") this.drawn.delete(key);
  }

  /** These are in sight or near it, the most urgent first; all others are not wanted any more. */
  want(wanted: ReadonlyArray<Found>): void {
    this.wanted = wanted;
    const keys = new Set(wanted.map(pictureKey));
    if (this.batch && [...this.batch.keys].every((key) => !keys.has(key))) this.batch.controller.abort();
    void this.draw();
  }

  subscribe(key: string, listener: () => void): () => void {
    const listeners = this.listeners.get(key) ?? new Set();
    this.listeners.set(key, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.listeners.delete(key);
    };
  }

  private async draw(): Promise<void> {
    if (this.batch) return;
    const missing = this.wanted.filter((found) => !this.drawn.has(pictureKey(found))).slice(0, BATCH);
    if (missing.length === 0) return;
    const controller = new AbortController();
    this.batch = { keys: new Set(missing.map(pictureKey)), controller };
    try {
      await this.ask(missing, controller.signal);
    } catch (error) {
      if (!controller.signal.aborted) this.failAll(missing, error);
    }
    this.batch = null;
    void this.draw();
  }

  private async ask(missing: ReadonlyArray<Found>, signal: AbortSignal): Promise<void> {
    const clips = missing.map(({ path, startSeconds, endSeconds }, index) => ({ path, startSeconds, endSeconds, clipId: String(index) }));
    const params = { clips, spectrogram: this.spectrogram, include: ["spectrogram"], delivery: "inline" } as const;
    const onRows = (rows: ReadonlyArray<unknown>) => (rows as ReadonlyArray<BatchClip>).forEach((clip) => this.keep(missing[Number(clip.clipId)], clip));
    await call("audio/clips", params, { signal, onRows });
  }

  private keep(found: Found | undefined, clip: BatchClip): void {
    if (!found) return;
    const blob = clip.spectrogram;
    if (blob?.kind === "inline") this.put(pictureKey(found), { kind: "shown", address: `data:${blob.mime};base64,${blob.base64}` });
    else this.put(pictureKey(found), { kind: "failed", message: clip.error?.message ?? "There is no spectrogram." });
  }

  private failAll(missing: ReadonlyArray<Found>, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    for (const found of missing) if (!this.drawn.has(pictureKey(found))) this.put(pictureKey(found), { kind: "failed", message });
  }

  private put(key: string, picture: Picture): void {
    this.drawn.set(key, picture);
    for (const oldest of this.drawn.keys()) {
      if (this.drawn.size <= KEPT) break;
      this.drawn.delete(oldest);
    }
    for (const listener of this.listeners.get(key) ?? []) listener();
  }
}

let latest: { key: string; pictures: Pictures } | null = null;

/** The pictures drawn with these settings; those of other settings are forgotten. */
export function picturesFor(spectrogram: SpectrogramSettings): Pictures {
  const key = JSON.stringify(spectrogram);
  if (latest?.key !== key) latest = { key, pictures: new Pictures(spectrogram) };
  return latest.pictures;
}

/** The picture of a detection, as soon as it is drawn. */
export function usePicture(pictures: Pictures, key: string): Picture | undefined {
  return useSyncExternalStore(
    (listener) => pictures.subscribe(key, listener),
    () => pictures.get(key),
  );
}
