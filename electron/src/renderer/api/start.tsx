// What every page needs from the first moment on: what the app is, the user's settings, how the sidecar is.
import { createContext, useCallback, useContext, useEffect, useMemo, useState } from "react";
import type { ReactNode } from "react";
import type { EnvironmentChoice } from "../../generated/contract.js";
import type { AppDescription, RecentKind, Settings, SidecarState } from "../../shared/api.js";
import { command } from "./client.js";

export interface Start {
  description: AppDescription;
  settings: Settings;
}

interface Surroundings extends Start {
  sidecar: SidecarState;
  change: (changes: Partial<Settings>) => Promise<void>;
  addRecent: (kind: RecentKind, path: string) => Promise<void>;
}

const Context = createContext<Surroundings | null>(null);

/** @throws DipperError */
export async function loadStart(): Promise<Start> {
  const [description, settings] = await Promise.all([command("app/describe", {}), command("settings/read", {})]);
  return { description, settings };
}

export function StartProvider({ start, children }: { start: Start; children: ReactNode }) {
  const [settings, setSettings] = useState(start.settings);
  const [sidecar, setSidecar] = useState(start.description.sidecar);
  useEffect(() => {
    const stop = window.dipper.onEvent((event) => {
      if (event.kind === "sidecar") setSidecar(event.state);
      if (event.kind === "settings") setSettings(event.settings);
      if (event.kind === "open") window.location.hash = `#/explore?path=${encodeURIComponent(event.path)}`;
    });
    // What was told between the first description and this moment had no listener.
    command("app/describe", {}).then(({ sidecar: now }) => setSidecar(now), () => undefined);
    return stop;
  }, []);
  const change = useCallback(async (changes: Partial<Settings>) => {
    setSettings((before) => ({ ...before, ...changes }));
    try {
      setSettings(await command("settings/write", { changes }));
    } catch (error) {
      // What was refused must not look as if it were kept.
      await command("settings/read", {}).then(setSettings, () => undefined);
      throw error;
    }
  }, []);
  const addRecent = useCallback(async (kind: RecentKind, path: string) => {
    setSettings(await command("recents/add", { kind, path }));
  }, []);
  const surroundings = useMemo(
    () => ({ description: start.description, settings, sidecar, change, addRecent }),
    [start.description, settings, sidecar, change, addRecent],
  );
  return <Context.Provider value={surroundings}>{children}</Context.Provider>;
}

/** The app's description, the settings with `change` and `addRecent`, and the sidecar's state. */
export function useSurroundings(): Surroundings {
  const surroundings = useContext(Context);
  if (surroundings === null) throw new Error("useSurroundings is used outside StartProvider");
  return surroundings;
}

/** The environment that the settings choose, as calls want it. */
export function useEnvironmentChoice(): EnvironmentChoice {
  const { settings } = useSurroundings();
  return useMemo(
    () => (settings.python !== null ? { python: settings.python } : { folder: settings.environmentFolder }),
    [settings.python, settings.environmentFolder],
  );
}
