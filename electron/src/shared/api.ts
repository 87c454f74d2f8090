// What the renderer may ask of the process behind it, and what it is told: `window.dipper`, the same in Electron and in
// a browser. What must not live here: how either of them carries it.
import type { ErrorObject, MethodName, Methods, Progress, SpectrogramSettings } from "../generated/contract.js";

/** An answer that survives structured cloning and JSON alike: errors are values, never exceptions. */
export type Outcome<T> = { ok: true; result: T } | { ok: false; error: ErrorObject };

/** What a call tells while it is under way. Ask for rows only where the method streams them. */
export interface CallOptions {
  progress?: boolean;
  rows?: boolean;
}

/** Progress of a call, or some rows of its result. */
export type Told = { kind: "progress"; progress: Progress } | { kind: "rows"; rows: ReadonlyArray<unknown> };

export interface DipperApi {
  /** Call a method of the sidecar. `callId` is the caller's own number for this call, for `cancel` and `onProgress`. */
  call<M extends MethodName>(
    callId: number,
    method: M,
    params: Methods[M]["params"],
    options?: CallOptions,
  ): Promise<Outcome<Methods[M]["result"]>>;
  /** The call answers with an error of code -32800 soon. */
  cancel(callId: number): void;
  onProgress(listener: (callId: number, told: Told) => void): Unsubscribe;
  /** Ask the app itself: dialogs, settings, logs. */
  command<C extends CommandName>(name: C, params: Commands[C]["params"]): Promise<Outcome<Commands[C]["result"]>>;
  onEvent(listener: (event: AppEvent) => void): Unsubscribe;
  /** Where a dropped file lies on the disk; null in a browser, which does not tell. */
  pathOf(file: File): string | null;
}

export type Unsubscribe = () => void;

/** `attempt` counts the restarts of the last minute; after the third the state is "failed". */
export type SidecarState =
  | { kind: "starting" }
  | { kind: "ready"; version: string; pid: number }
  | { kind: "restarting"; attempt: number; reason: string }
  | { kind: "failed"; reason: string; hint: string };

export type AppEvent =
  | { kind: "sidecar"; state: SidecarState }
  | { kind: "settings"; settings: Settings }
  | { kind: "open"; path: string };

export type Colormap = NonNullable<SpectrogramSettings["colormap"]>;
export type RecentKind = "recordings" | "scores" | "configs" | "outputs";

/** What the user has chosen, kept on disk. Every field has a default, `DEFAULT_SETTINGS`. */
export interface Settings {
  theme: "auto" | "light" | "dark";
  colormap: Colormap;
  decibelRange: [number, number] | "auto";
  /** Hz; null shows everything up to Nyquist. */
  frequencyRangeHz: [number, number] | null;
  cardsPerPage: number;
  /** Folder of the ML environment; null is the default folder. */
  environmentFolder: string | null;
  /** An interpreter of the user's own instead of an environment. */
  python: string | null;
  outputFolder: string | null;
  onClose: "ask" | "tray" | "pause" | "cancel";
  notifications: boolean;
  /** Newest first, at most ten of each kind. */
  recents: Record<RecentKind, ReadonlyArray<string>>;
  /** The page that was shown last, as the router names it, e.g. "#/explore?path=...". */
  lastPage: string;
}

export const DEFAULT_SETTINGS: Settings = {
  theme: "auto",
  colormap: "magma",
  decibelRange: "auto",
  frequencyRangeHz: null,
  cardsPerPage: 24,
  environmentFolder: null,
  python: null,
  outputFolder: null,
  onClose: "ask",
  notifications: true,
  recents: { recordings: [], scores: [], configs: [], outputs: [] },
  lastPage: "#/",
};

/** `roots` are the folders that a browser may choose from; null in Electron, which has dialogs of its own. */
export interface AppDescription {
  version: string;
  host: "electron" | "browser";
  platform: string;
  home: string;
  dataFolder: string;
  logFile: string;
  roots: ReadonlyArray<string> | null;
  versions: Record<string, string>;
  sidecar: SidecarState;
}

export interface FolderEntry {
  name: string;
  path: string;
  kind: "folder" | "file";
  sizeBytes: number;
}

/** A folder's entries, folders first, in natural order. `parent` is null at a root. */
export interface FolderListing {
  folder: string;
  parent: string | null;
  entries: ReadonlyArray<FolderEntry>;
}

/** `extensions` without dots; none means any. `suggestion` is a path to begin with. */
export interface Choice {
  what: "file" | "files" | "folder" | "save";
  title: string;
  extensions?: ReadonlyArray<string>;
  suggestion?: string;
}

/** Every command's params and result, by the command's name. */
export interface Commands {
  "app/describe": { params: Nothing; result: AppDescription };
  "settings/read": { params: Nothing; result: Settings };
  "settings/write": { params: { changes: Partial<Settings> }; result: Settings };
  /** Put a path at the head of its list. */
  "recents/add": { params: { kind: RecentKind; path: string }; result: Settings };
  /** The system's own dialog; an empty list where it was dismissed. Only in Electron. */
  "dialog/choose": { params: Choice; result: ReadonlyArray<string> };
  /** Only in a browser. Without a folder: the roots. */
  "files/list": { params: { folder: string | null }; result: FolderListing };
  /** Show a folder or file in the system's file manager. Only in Electron. */
  "files/reveal": { params: { path: string }; result: null };
  "logs/tail": { params: { lines: number }; result: ReadonlyArray<string> };
  "sidecar/restart": { params: Nothing; result: null };
}

export type CommandName = keyof Commands;
export type Nothing = Record<string, never>;

/** Codes of errors that the app itself raises, beside those of the protocol. */
export const AppError = { refused: 2001, sidecarGone: 2002, unavailable: 2003, failed: 2004 } as const;

declare global {
  interface Window {
    readonly dipper: DipperApi;
  }
}
