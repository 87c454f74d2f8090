// Choosing files and folders: the system's dialog in Electron, a browser of the allowed folders elsewhere.
import { useCallback, useState } from "react";
import type { ReactNode } from "react";
import { command } from "../api/client.js";
import { useSurroundings } from "../api/start.js";
import type { Choice } from "../../shared/api.js";
import { FileBrowser } from "./file-browser.js";

interface Pending {
  choice: Choice;
  settle: (paths: ReadonlyArray<string>) => void;
}

export interface PathPicker {
  /** The chosen paths; none where the dialog was dismissed. */
  choose: (choice: Choice) => Promise<ReadonlyArray<string>>;
  /** To be put somewhere in the page. */
  dialog: ReactNode;
}

export function usePathPicker(): PathPicker {
  const { description } = useSurroundings();
  const [pending, setPending] = useState<Pending | null>(null);
  const choose = useCallback(
    (choice: Choice) => {
      if (description.host === "electron") return command("dialog/choose", choice);
      return new Promise<ReadonlyArray<string>>((settle) => setPending({ choice, settle }));
    },
    [description.host],
  );
  const done = (paths: ReadonlyArray<string>) => {
    pending?.settle(paths);
    setPending(null);
  };
  return { choose, dialog: pending && <FileBrowser choice={pending.choice} onDone={done} /> };
}
