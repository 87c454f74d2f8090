// Folders as the file browser shows them.
import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { FolderEntry, FolderListing } from "../shared/api.js";
import { AppFault } from "./outcomes.js";

const MAX_ENTRIES = 5000;
const natural = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** Entries of a folder that are not hidden, folders first. @throws AppFault where it cannot be read. */
export function listFolder(folder: string, roots: ReadonlyArray<string>): FolderListing {
  const names = readNames(folder).filter((name) => !name.startsWith("."));
  const entries = names.slice(0, MAX_ENTRIES).flatMap((name) => entryOf(folder, name));
  entries.sort((a, b) => Number(a.kind === "file") - Number(b.kind === "file") || natural.compare(a.name, b.name));
  const parent = roots.includes(folder) ? (roots.length > 1 ? "" : null) : dirname(folder);
  return { folder, parent, entries };
}

/** The folders that may be used, as a listing of their own. */
export function listRoots(roots: ReadonlyArray<string>): FolderListing {
  return { folder: "", parent: null, entries: roots.map((root) => ({ name: root, path: root, kind: "folder", sizeBytes: 0 })) };
}

function readNames(folder: string): ReadonlyArray<string> {
  try {
    return readdirSync(folder);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new AppFault("failed", `${folder} cannot be opened: ${code ?? String(error)}.`, "Choose another folder.");
  }
}

function entryOf(folder: string, name: string): ReadonlyArray<FolderEntry> {
  const path = join(folder, name);
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found || !(found.isDirectory() || found.isFile())) return [];
  return [{ name, path, kind: found.isDirectory() ? "folder" : "file", sizeBytes: found.isFile() ? found.size : 0 }];
}
