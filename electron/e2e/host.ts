// The built host as a process of its own, with folders of its own, on a free port.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Settings } from "../src/shared/api.js";
import { CHECKOUT, HOST } from "./places.js";

export interface Host {
  address: string;
  /** End it as a signal from the terminal would. */
  end: () => Promise<void>;
}

/** A folder for a test: `data` is the app's, `audio` and `out` are the user's. */
export interface Folders {
  root: string;
  data: string;
  audio: string;
  out: string;
  remove: () => void;
}

export function makeFolders(settings: Partial<Settings> = {}): Folders {
  const root = mkdtempSync(join(tmpdir(), "dipper-e2e-"));
  const [data, audio, out] = ["data", "audio", "out"].map((name) => join(root, name)) as [string, string, string];
  for (const folder of [data, audio, out]) mkdirSync(folder);
  writeFileSync(join(data, "settings.json"), JSON.stringify({ environmentFolder: join(data, "environment"), outputFolder: out, ...settings }));
  return { root, data, audio, out, remove: () => rmSync(root, { recursive: true, force: true }) };
}

/** Start the host. `roots` are allowed beside the test's own folder. */
export async function startHost(folders: Folders, roots: ReadonlyArray<string> = []): Promise<Host> {
  if (!existsSync(HOST)) throw new Error(`${HOST} is not there. Build it first: npm run build.`);
  const allowed = [folders.root, ...roots].flatMap((root) => ["--root", root]);
  const process_ = spawn(process.execPath, [HOST, "--no-open", "--port", "0", "--data", folders.data, "--checkout", CHECKOUT, ...allowed], { stdio: ["ignore", "pipe", "inherit"] });
  const address = await firstAddress(process_);
  return { address, end: () => end(process_) };
}

async function firstAddress(host: ChildProcess): Promise<string> {
  if (!host.stdout) throw new Error("The host has no output.");
  for await (const line of createInterface({ input: host.stdout })) if (line.startsWith("http://")) return line.trim();
  throw new Error("The host ended before it told its address.");
}

async function end(host: ChildProcess): Promise<void> {
  if (host.exitCode !== null || host.signalCode !== null) return;
  const ended = once(host, "exit");
  host.kill("SIGTERM");
  await ended;
}
