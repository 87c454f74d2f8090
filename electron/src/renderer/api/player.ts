// The one thing that is played at a time, and how far it has come.
import { useSyncExternalStore } from "react";
import type { AudioSettings } from "../../generated/contract.js";
import { call } from "./client.js";

export interface Sound {
  /** What it is called here; the same key plays the same sound. */
  key: string;
  path: string;
  startSeconds: number;
  endSeconds: number;
  audio?: AudioSettings;
  speed?: number;
}

export type PlayerState = { kind: "silent" } | { kind: "loading" | "playing"; key: string } | { kind: "failed"; key: string; error: unknown };

class Player {
  state: PlayerState = { kind: "silent" };
  readonly element = new Audio();
  private fetching: AbortController | null = null;
  private address: string | null = null;
  private readonly listeners = new Set<() => void>();

  constructor() {
    this.element.addEventListener("ended", () => this.stop());
  }

  /** 0..1 of what is played; 0 where nothing is. */
  get position(): number {
    const { currentTime, duration } = this.element;
    return duration > 0 ? Math.min(1, currentTime / duration) : 0;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  toggle(sound: Sound): void {
    const isThis = this.state.kind !== "silent" && this.state.kind !== "failed" && this.state.key === sound.key;
    if (isThis) this.stop();
    else void this.play(sound);
  }

  /** Play a sound from `position` (0..1) on. */
  async play(sound: Sound, position = 0): Promise<void> {
    this.stop();
    const fetching = new AbortController();
    this.fetching = fetching;
    this.change({ kind: "loading", key: sound.key });
    try {
      const blob = await fetchSound(sound, fetching.signal);
      if (fetching.signal.aborted) return;
      this.address = URL.createObjectURL(blob);
      this.element.src = this.address;
      this.element.playbackRate = sound.speed ?? 1;
      await this.element.play();
      if (position > 0) this.element.currentTime = position * this.element.duration;
      this.change({ kind: "playing", key: sound.key });
    } catch (error) {
      if (!fetching.signal.aborted) this.change({ kind: "failed", key: sound.key, error });
    }
  }

  stop(): void {
    this.fetching?.abort();
    this.element.pause();
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = null;
    if (this.state.kind !== "silent") this.change({ kind: "silent" });
  }

  private change(state: PlayerState): void {
    this.state = state;
    for (const listener of this.listeners) listener();
  }
}

async function fetchSound({ path, startSeconds, endSeconds, audio = {} }: Sound, signal: AbortSignal): Promise<Blob> {
  const clip = await call("audio/clip", { path, startSeconds, endSeconds, audio, include: ["audio"], delivery: "inline" }, { signal });
  if (clip.audio?.kind !== "inline") throw new Error("There is no sound in the answer.");
  const bytes = Uint8Array.from(atob(clip.audio.base64), (character) => character.charCodeAt(0));
  return new Blob([bytes], { type: clip.audio.mime });
}

export const player = new Player();

/** Whether the sound of this key is being fetched or played, or has failed; "silent" otherwise. */
export function usePlayerKind(key: string): PlayerState["kind"] {
  return useSyncExternalStore(player.subscribe, () => {
    const { state } = player;
    return state.kind !== "silent" && state.key === key ? state.kind : "silent";
  });
}
