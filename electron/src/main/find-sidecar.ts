// Which sidecar is started: the one named by the environment, the packaged one, or that of a checkout.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { AppFault } from "./outcomes.js";

export interface SidecarCommand {
  program: string;
  args: ReadonlyArray<string>;
  cwd?: string;
}

export interface Places {
  /** An executable to be used instead of all others. */
  override?: string | undefined;
  /** Electron's resources folder, where the app is packaged. */
  resources?: string | undefined;
  checkout?: string | undefined;
  platform?: NodeJS.Platform;
  exists?: (path: string) => boolean;
}

/** @throws AppFault where there is none. */
export function findSidecar(places: Places): SidecarCommand {
  const { override, resources, checkout, platform = process.platform, exists = existsSync } = places;
  if (override) return { program: override, args: [] };
  const isWindows = platform === "win32";
  const frozen = resources && join(resources, "sidecar", isWindows ? "sidecar.exe" : "sidecar");
  if (frozen && exists(frozen)) return { program: frozen, args: [] };
  const python = checkout && join(checkout, ".venv", isWindows ? "Scripts/python.exe" : "bin/python");
  if (python && exists(python)) return { program: python, args: ["-m", "sidecar"], cwd: checkout };
  throw new AppFault("failed", "The sidecar is not there.", "Install the app again; in a checkout run python3 dev.py setup.");
}
