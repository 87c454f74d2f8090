// The host as people run it: bundled, in a process of its own, with the real sidecar; and a window that speaks to it.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { build } from "esbuild";
import { WebSocket } from "ws";
import type { AppEvent, Outcome, Told } from "../../shared/api.js";
import { SUBPROTOCOL } from "../wire.js";
import type { FromWindow, ToWindow } from "../wire.js";

const ELECTRON = resolve(import.meta.dirname, "..", "..", "..");
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

export interface RunningHost {
  address: URL;
  /** The only allowed folder, beside one that is not. */
  root: string;
  outside: string;
  process: ChildProcess;
}

export async function runHost(): Promise<RunningHost> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "host-")));
  const [root, outside, data] = [join(folder, "root"), join(folder, "outside"), join(folder, "data")];
  for (const made of [root, outside, join(folder, "dist", "renderer")]) mkdirSync(made, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{"version": "0.0.1", "type": "module"}');
  writeFileSync(join(folder, "dist", "renderer", "index.html"), "<!doctype html><html><head><title>Dipper</title></head></html>");
  writeFileSync(join(outside, "secret.txt"), "secret");
  const options = { bundle: true, logLevel: "error", absWorkingDir: ELECTRON } as const;
  const program = join(folder, "dist", "host", "main.js");
  await build({ ...options, entryPoints: ["src/host/main.ts"], outfile: program, platform: "node", format: "esm", banner: { js: REQUIRE } });
  await build({ ...options, entryPoints: ["src/host/browser-api.ts"], outfile: join(folder, "dist", "host", "browser-api.js"), format: "iife" });
  const args = ["--port", "0", "--no-open", "--root", root, "--data", data, "--checkout", resolve(ELECTRON, "..")];
  const process = spawn(globalThis.process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  return { address: new URL(await firstLine(process)), root, outside, process };
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout) for await (const line of createInterface(child.stdout)) return line;
  throw new Error("The host ended without telling its address.");
}

export class TestWindow {
  readonly events: AppEvent[] = [];
  readonly told: [number, Told][] = [];
  private lastNumber = 0;
  private readonly waiting = new Map<number, (outcome: Outcome<never>) => void>();

  private constructor(readonly socket: WebSocket) {
    socket.on("message", (data: Buffer) => this.receive(JSON.parse(data.toString()) as ToWindow));
  }

  /** Rejects where the host refuses. */
  static open(address: URL, changes: { token?: string; origin?: string; host?: string } = {}): Promise<TestWindow> {
    const { token = address.searchParams.get("token") ?? "", origin = address.origin, host = address.host } = changes;
    const socket = new WebSocket(`ws://${address.host}/ipc`, SUBPROTOCOL + token, { origin, headers: { host } });
    const window = new TestWindow(socket);
    return new Promise((resolve, reject) => socket.once("open", () => resolve(window)).once("error", reject));
  }

  /** `callId` is by default that of the request. */
  call(method: string, params: unknown, callId = this.lastNumber + 1): Promise<Outcome<never>> {
    return this.ask((requestId) => ({ kind: "call", requestId, callId, method, params, options: {} }));
  }

  command(name: string, params: unknown): Promise<Outcome<never>> {
    return this.ask((requestId) => ({ kind: "command", requestId, name, params }));
  }

  private ask(message: (requestId: number) => FromWindow): Promise<Outcome<never>> {
    const requestId = ++this.lastNumber;
    this.socket.send(JSON.stringify(message(requestId)));
    return new Promise((resolve) => this.waiting.set(requestId, resolve));
  }

  private receive(message: ToWindow): void {
    if (message.kind === "event") this.events.push(message.event);
    if (message.kind === "told") this.told.push([message.callId, message.told]);
    if (message.kind === "answer") this.waiting.get(message.requestId)?.(message.outcome as Outcome<never>);
  }
}
