// The setting up of an environment that is under way. It belongs to no page: leaving one must not end it.
import { useSyncExternalStore } from "react";
import type { EnvSetupParams, Environment, Progress } from "../../../generated/contract.js";
import { call, DipperError } from "../../api/client.js";

export interface SetupState {
  isRunning: boolean;
  progress: Progress | null;
  error: unknown;
}

class SetupRun {
  state: SetupState = { isRunning: false, progress: null, error: null };
  private controller: AbortController | null = null;
  private readonly listeners = new Set<() => void>();

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Set an environment up; null where that failed or was cancelled, as `state` tells. */
  async start(params: EnvSetupParams): Promise<Environment | null> {
    const controller = new AbortController();
    this.controller = controller;
    this.change({ isRunning: true, progress: null, error: null });
    try {
      const onProgress = (progress: Progress) => this.change({ ...this.state, progress: { ...this.state.progress, ...progress } });
      const environment = await call("env/setup", params, { signal: controller.signal, onProgress });
      this.change({ isRunning: false, progress: null, error: null });
      return environment;
    } catch (error) {
      const isCancelled = error instanceof DipperError && error.isCancelled;
      this.change({ isRunning: false, progress: null, error: isCancelled ? null : error });
      return null;
    }
  }

  cancel(): void {
    this.controller?.abort();
  }

  private change(state: SetupState): void {
    this.state = state;
    for (const listener of this.listeners) listener();
  }
}

export const setupRun = new SetupRun();

export function useSetupRun(): SetupState {
  return useSyncExternalStore(setupRun.subscribe, () => setupRun.state);
}
