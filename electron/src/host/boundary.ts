// What paths a browser may name: only those below the allowed folders, whichever field of whichever call they stand in.
import { lstatSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { AppFault } from "../main/outcomes.js";

/** Fields of the contract and of the settings that hold paths. */
const PATH_FIELDS: ReadonlySet<string> = new Set([
  "path", "folder", "archive", "python", "audioRoot", "configPath", "jobFolder", "blobFolder",
  "files", "folders", "patterns", "recordings", "scores", "configs", "outputs",
  "environmentFolder", "outputFolder",
]);

export class Boundary {
  /** `roots` are what people may choose from; `own` are folders of the program itself, allowed without being shown. */
  readonly roots: ReadonlyArray<string>;
  private readonly allowed: ReadonlyArray<string>;

  constructor(roots: ReadonlyArray<string>, own: ReadonlyArray<string> = []) {
    this.roots = roots.map((root) => realpathSync(root));
    this.allowed = [...this.roots, ...own.map(resolved)];
  }

  /** @throws AppFault where `path`, symlinks resolved, lies outside */
  check(path: string): void {
    if (!isAbsolute(path)) throw this.refusal(path, "is not an absolute path");
    const real = resolved(path);
    if (!this.allowed.some((root) => isBelow(real, root))) throw this.refusal(path, "lies outside the folders that may be used here");
  }

  /** Check every path in a value, however deep. @throws AppFault */
  checkAll(value: unknown, field = ""): void {
    if (typeof value === "string") {
      if (PATH_FIELDS.has(field) || looksLikePath(value)) this.check(asPath(value));
    } else if (Array.isArray(value)) {
      for (const item of value) this.checkAll(item, field);
    } else if (typeof value === "object" && value !== null) {
      for (const [name, item] of Object.entries(value)) this.checkAll(item, name);
    }
  }

  private refusal(path: string, why: string): AppFault {
    return new AppFault("refused", `${path} ${why}.`, `Allowed: ${this.roots.join(", ")}. Others are given with --root when the program is started.`);
  }
}

/** The path with the symlinks of what exists of it resolved; empty where nobody can tell where it leads. */
function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    const parent = dirname(path);
    if (parent === path) return path;
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || isLink(path)) return "";
    const above = resolved(parent);
    return above && join(above, basename(path));
  }
}

/** A link to what is not there yet: writing to it would make a file at its other end. */
function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

function isBelow(path: string, root: string): boolean {
  const way = relative(root, path);
  return path !== "" && (way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way)));
}

function looksLikePath(text: string): boolean {
  return isAbsolute(text) || text.startsWith("file:");
}

/** The sidecar understands file: URIs wherever it asks for a path, and a query in one as it likes. @throws AppFault */
export function asPath(text: string): string {
  if (!text.startsWith("file:")) return text;
  try {
    if (!/[?#]/.test(text)) return fileURLToPath(text);
  } catch {
    // Below, as what cannot be told.
  }
  throw new AppFault("refused", `Nobody can tell which file ${text} is.`, "Give its path; rename a file whose name is not UTF-8.");
}
