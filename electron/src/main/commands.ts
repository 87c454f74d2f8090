// The app's own commands, the same in Electron and in a browser but for what only one of them can do.
import type { AppDescription, Choice, FolderListing } from "../shared/api.js";
import type { CommandHandlers } from "./ipc.js";
import type { LogFile } from "./log-file.js";
import { AppFault } from "./outcomes.js";
import type { SettingsStore } from "./settings.js";
import type { SidecarProcess } from "./sidecar-process.js";

export interface CommandParts {
  description: Omit<AppDescription, "sidecar">;
  settings: SettingsStore;
  log: LogFile;
  sidecar: Pick<SidecarProcess, "state" | "restart">;
  choose?: (choice: Choice) => Promise<ReadonlyArray<string>>;
  reveal?: (path: string) => void;
  list?: (folder: string | null) => FolderListing;
}

export function commandHandlers(parts: CommandParts): CommandHandlers {
  return {
    "app/describe": () => ({ ...parts.description, sidecar: parts.sidecar.state }),
    "settings/read": () => parts.settings.read(),
    "settings/write": ({ changes }) => parts.settings.write(changes),
    "recents/add": ({ kind, path }) => parts.settings.addRecent(kind, path),
    "dialog/choose": (choice) => (parts.choose ?? unavailable("The system's dialogs"))(choice),
    "files/list": ({ folder }) => (parts.list ?? unavailable("Listing folders"))(folder),
    "files/reveal": ({ path }) => {
      (parts.reveal ?? unavailable("The file manager"))(path);
      return null;
    },
    "logs/tail": ({ lines }) => parts.log.tail(Math.max(1, Math.min(10_000, Math.trunc(lines) || 200))),
    "sidecar/restart": () => {
      parts.sidecar.restart();
      return null;
    },
  };
}

function unavailable(what: string): () => never {
  return () => {
    throw new AppFault("unavailable", `${what} cannot be used here.`);
  };
}
