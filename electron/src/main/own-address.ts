// Which addresses are the app's own, and which of its files they name. Plain Node: Electron is not needed to test it.
import { isAbsolute, join, relative, resolve } from "node:path";

export const SCHEME = "app";
export const HOME_URL = `${SCHEME}://dipper/index.html`;
const ORIGIN = `${SCHEME}://dipper`;

/** Whether an address is a page or file of the app itself. */
export function isOwnUrl(url: string): boolean {
  const parsed = parse(url);
  return parsed !== null && `${parsed.protocol}//${parsed.host}` === ORIGIN && !parsed.username && !parsed.password;
}

/** The file within `folder` that one of our addresses names; null for any other, and for one that leaves the folder. */
export function fileOf(url: string, folder: string): string | null {
  const parsed = parse(url);
  if (!parsed || !isOwnUrl(url)) return null;
  const name = decoded(parsed.pathname);
  if (name === null || name.includes("\0") || name.includes("\\")) return null;
  const file = resolve(join(folder, name === "/" ? "index.html" : name));
  const within = relative(resolve(folder), file);
  return within === "" || within.startsWith("..") || isAbsolute(within) ? null : file;
}

function parse(url: string): URL | null {
  try {
    return new URL(url);
  } catch {
    return null;
  }
}

function decoded(path: string): string | null {
  try {
    return decodeURIComponent(path);
  } catch {
    return null;
  }
}
