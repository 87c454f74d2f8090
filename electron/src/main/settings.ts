// The user's settings on disk. A damaged file is kept aside, a field that is not as it should be gets its default.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { DEFAULT_SETTINGS } from "../shared/api.js";
import type { RecentKind, Settings, Unsubscribe } from "../shared/api.js";

const MAX_RECENTS = 10;
const COLORMAPS = ["greys", "greys_r", "inferno", "magma", "plasma", "turbo", "viridis"];

type Checks = { [F in keyof Settings]: (value: unknown) => boolean };

const CHECKS: Checks = {
  theme: oneOf("auto", "light", "dark"),
  colormap: oneOf(...COLORMAPS),
  decibelRange: (value) => value === "auto" || isRange(value),
  frequencyRangeHz: (value) => value === null || isRange(value),
  cardsPerPage: (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 200,
  environmentFolder: isTextOrNull,
  python: isTextOrNull,
  outputFolder: isTextOrNull,
  onClose: oneOf("ask", "tray", "pause", "cancel"),
  notifications: (value) => typeof value === "boolean",
  recents: isRecents,
  lastPage: (value) => typeof value === "string" && value.startsWith("#") && value.length < 5000,
};

export class SettingsStore {
  private settings: Settings;
  private readonly listeners = new Set<(settings: Settings) => void>();

  constructor(
    private readonly path: string,
    private readonly say: (message: string) => void = () => undefined,
  ) {
    this.settings = valid(this.load());
  }

  read(): Settings {
    return this.settings;
  }

  /** Fields that are not as they should be are left as they were. */
  write(changes: Partial<Settings>): Settings {
    this.settings = { ...this.settings, ...accepted(changes) };
    this.save();
    for (const listener of this.listeners) listener(this.settings);
    return this.settings;
  }

  addRecent(kind: RecentKind, path: string): Settings {
    const { recents } = this.settings;
    const others = (recents[kind] ?? []).filter((other) => other !== path);
    return this.write({ recents: { ...recents, [kind]: [path, ...others].slice(0, MAX_RECENTS) } });
  }

  onChange(listener: (settings: Settings) => void): Unsubscribe {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private load(): unknown {
    try {
      return JSON.parse(readFileSync(this.path, "utf8"));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
      this.say(`settings: ${this.path} cannot be read and is kept aside: ${String(error)}`);
      this.keepAside();
      return {};
    }
  }

  private keepAside(): void {
    try {
      renameSync(this.path, `${this.path}.broken`);
    } catch (error) {
      this.say(`settings: ${String(error)}`);
    }
  }

  /** Written aside and renamed: a power cut leaves the old settings or the new ones. */
  private save(): void {
    try {
      mkdirSync(dirname(this.path), { recursive: true });
      writeFileSync(`${this.path}.new`, JSON.stringify(this.settings, null, 2), { flush: true });
      renameSync(`${this.path}.new`, this.path);
    } catch (error) {
      this.say(`settings: could not be written: ${String(error)}`);
    }
  }
}

function valid(found: unknown): Settings {
  return { ...DEFAULT_SETTINGS, ...accepted(found) };
}

function accepted(found: unknown): Partial<Settings> {
  if (typeof found !== "object" || found === null) return {};
  const checks: Partial<Record<string, (value: unknown) => boolean>> = CHECKS;
  return Object.fromEntries(Object.entries(found).filter(([name, value]) => checks[name]?.(value) ?? false));
}

function oneOf(...values: ReadonlyArray<string>): (value: unknown) => boolean {
  return (value) => typeof value === "string" && values.includes(value);
}

function isTextOrNull(value: unknown): boolean {
  return value === null || (typeof value === "string" && value !== "");
}

function isRange(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every(Number.isFinite) && value[0] < value[1];
}

function isRecents(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const kinds = Object.keys(DEFAULT_SETTINGS.recents);
  return kinds.every((kind) => {
    const paths: unknown = (value as Record<string, unknown>)[kind];
    return Array.isArray(paths) && paths.length <= MAX_RECENTS && paths.every((path) => typeof path === "string");
  });
}
