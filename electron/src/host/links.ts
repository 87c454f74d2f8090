// Links inside the allowed folders that lead out of them: nothing is scored through one.
import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, normalize, parse, sep } from "node:path";
import { asPath } from "./boundary.js";
import type { Boundary } from "./boundary.js";

const WILDCARD = /[*?[]/;

interface Below {
  folder: string;
  /** How many levels of it are looked at. */
  depth: number;
}

/** Look at what a config's folders and patterns reach. @throws AppFault at a link that leads out */
export async function checkLinks(config: unknown, boundary: Boundary): Promise<void> {
  const input = fieldsOf(fieldsOf(config)["input"]);
  const folders = textsOf(input["folders"]).map((folder) => ({ folder, depth: Infinity }));
  for (const below of [...folders, ...textsOf(input["patterns"]).map(reachOf)]) await look(below, boundary);
}

async function look({ folder, depth }: Below, boundary: Boundary): Promise<void> {
  for (const entry of await entriesOf(folder)) {
    const path = join(folder, entry.name);
    if (entry.isSymbolicLink()) boundary.check(path);
    else if (entry.isDirectory() && depth > 1) await look({ folder: path, depth: depth - 1 }, boundary);
  }
}

/** None of what is no folder or cannot be read: the sidecar says what is wrong with it. */
async function entriesOf(folder: string): Promise<ReadonlyArray<Dirent>> {
  return readdir(folder, { withFileTypes: true }).catch(() => []);
}

/** The folder before a pattern's first wildcard, and as many levels as the pattern has from there on. */
function reachOf(pattern: string): Below {
  const { root } = parse(pattern);
  const parts = normalize(pattern).slice(root.length).split(sep);
  const first = parts.findIndex((part) => WILDCARD.test(part));
  const fixed = first < 0 ? parts.slice(0, -1) : parts.slice(0, first);
  const depth = parts.includes("**") ? Infinity : parts.length - fixed.length;
  return { folder: join(root, ...fixed), depth };
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** Paths, of URIs too. */
function textsOf(value: unknown): ReadonlyArray<string> {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string").map(asPath) : [];
}
