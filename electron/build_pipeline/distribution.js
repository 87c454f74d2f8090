// What must lie on the disk before it is passed on. What must not live here: running it (checks.js).
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync, readdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import process from "node:process";
import { Fault } from "./sidecar.js";

const EXECUTABLE = process.platform === "win32" ? "sidecar.exe" : "sidecar";
const PACKAGES = ["ml_runtime", "rpc", "schemas", "survey"];
const SHIPPED = /\.(py|json)$/;
const ARCHIVE_SUFFIX = /\.(tar\.gz|tar\.zst|zip)$/;

/** Beside the executable, besides the packages' source; some as patterns, for platforms name libraries differently. */
const BESIDE = ["LICENSE", "THIRD_PARTY_NOTICES.txt", "_internal/schemas/json/openrpc.json"];
const INSIDE = [/^_duckdb\./, /^_soundfile_data$/, /^numpy$/, /^scipy$/, /^msgspec$/, /^soxr$/, /^sidecar$/];

/** @param {string} folder of the frozen sidecar */
export const executableIn = (folder) => join(folder, EXECUTABLE);

/**
 * That the executable is there, and is one.
 * @param {string} folder
 */
export function findExecutable(folder) {
  const executable = executableIn(folder);
  if (!existsSync(executable)) throw new Fault(`${executable} is missing: npm run build:python-pyinstaller`);
  const state = statSync(executable);
  if (!state.isFile() || state.size === 0) throw new Fault(`${executable} is no program`);
  if (process.platform !== "win32" && !(state.mode & 0o100)) throw new Fault(`${executable} may not be executed`);
  return executable;
}

/**
 * That the environment archive is there, and is what its manifest and its sum say; its path and its manifest.
 * @param {string} link the archive's own path, or a link to it
 */
export async function findArchive(link) {
  if (!existsSync(link)) throw new Fault(`${link} is missing: npm run build:conda-pack`);
  const path = realpathSync(link);
  const manifest = manifestOf(path);
  const size = statSync(path).size;
  if (size !== manifest.sizeBytes) throw new Fault(`${path} has ${size} bytes, its manifest says ${manifest.sizeBytes}`);
  const sum = await sha256(path);
  if (sum !== manifest.sha256) throw new Fault(`${path} has the sum ${sum}, its manifest says ${manifest.sha256}`);
  const published = readText(`${path}.sha256`);
  if (published !== `${sum}  ${basename(path)}\n`) throw new Fault(`${path}.sha256 says otherwise: ${published}`);
  return { path, manifest };
}

/**
 * That everything which a distribution needs is there, as it is in the checkout; how many files that were.
 * @param {string} folder of the frozen sidecar
 * @param {string} checkout
 */
export function findFiles(folder, checkout) {
  const inside = readdirSync(join(folder, "_internal"));
  const lacking = INSIDE.filter((name) => !inside.some((found) => name.test(found))).map(String);
  lacking.push(...BESIDE.filter((path) => !existsSync(join(folder, path))));
  const sources = PACKAGES.flatMap((name) => sourcesIn(join(checkout, name))).map((path) => relative(checkout, path));
  const missing = sources.filter((path) => !existsSync(join(folder, path)));
  if (lacking.length + missing.length) throw new Fault(`${folder} lacks ${[...lacking, ...missing].join(", ")}`);
  const same = (/** @type {string} */ path) => readFileSync(join(folder, path)).equals(readFileSync(join(checkout, path)));
  const other = sources.filter((path) => !same(path));
  if (other.length) throw new Fault(`${folder} is not of this checkout: ${other.join(", ")}`);
  return INSIDE.length + BESIDE.length + sources.length;
}

/** @param {string} archive */
function manifestOf(archive) {
  const path = join(dirname(archive), basename(archive).replace(ARCHIVE_SUFFIX, "") + ".json");
  try {
    return JSON.parse(readText(path));
  } catch (error) {
    throw error instanceof Fault ? error : new Fault(`${path} is no manifest: ${error}`);
  }
}

/** @param {string} path */
function readText(path) {
  if (!existsSync(path)) throw new Fault(`${path} is missing`);
  return readFileSync(path, "utf8");
}

/** @param {string} path */
async function sha256(path) {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function sourcesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "__pycache__" ? [] : sourcesIn(path);
    return SHIPPED.test(entry.name) ? [path] : [];
  });
}
