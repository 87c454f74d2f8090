// Where the built host, the sidecar's checkout and the environment's archive lie.
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const ELECTRON = resolve(dirname(fileURLToPath(import.meta.url)), "..");
export const CHECKOUT = resolve(ELECTRON, "..");
export const HOST = join(ELECTRON, "dist", "host", "main.js");

const CHROMIUM_NAMES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/usr/bin/google-chrome-stable", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"];

/** Chromium's executable: CHROMIUM, or one of the usual; null where there is none. */
export function chromiumPath(): string | null {
  const given = process.env["CHROMIUM"];
  if (given) return given;
  return CHROMIUM_NAMES.find((path) => existsSync(path)) ?? null;
}

/** The newest packed environment: DIPPER_ARCHIVE, or one in environments/; null where none was built. */
export function archivePath(): string | null {
  const given = process.env["DIPPER_ARCHIVE"];
  if (given) return given;
  const folder = join(CHECKOUT, "environments");
  if (!existsSync(folder)) return null;
  const archives = readdirSync(folder).filter((name) => /^dipper_pytorch_env.*\.tar\.gz$/.test(name)).map((name) => join(folder, name));
  return archives.sort((one, other) => statSync(other).mtimeMs - statSync(one).mtimeMs)[0] ?? null;
}

/** The development environment's interpreter, which is there before anything is installed; null where it is not. */
export function developmentPython(): string | null {
  const path = join(CHECKOUT, ".ml", "bin", "python");
  return existsSync(path) ? path : null;
}
