import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it, vi } from "vitest";
import { AppError } from "../shared/api.js";
import type { SidecarState, Told } from "../shared/api.js";
import { LogFile } from "./log-file.js";
import { SidecarClient } from "./sidecar-client.js";
import { SidecarProcess } from "./sidecar-process.js";

const STAND_IN = fileURLToPath(new URL("testing/stand-in.mjs", import.meta.url));
const started: SidecarProcess[] = [];

afterEach(async () => {
  for (const sidecar of started.splice(0)) await sidecar.stop();
});

function begin(args: ReadonlyArray<string> = [], parts: { program?: string; now?: () => number } = {}) {
  const log = new LogFile(join(mkdtempSync(join(tmpdir(), "log-")), "app.log"));
  const { program = process.execPath, ...surroundings } = parts;
  const sidecar = new SidecarProcess({ program, args: [STAND_IN, ...args] }, { appVersion: "0", log: (text) => log.write(text), ...surroundings });
  const states: SidecarState[] = [];
  sidecar.onState((state) => states.push(state));
  started.push(sidecar);
  sidecar.start();
  return { sidecar, client: new SidecarClient(sidecar), states, log };
}

const kinds = (states: ReadonlyArray<SidecarState>) => states.map(({ kind }) => kind);
const isFailed = (sidecar: SidecarProcess) => vi.waitFor(() => expect(sidecar.state.kind).toBe("failed"), 10_000);

it("answers a call made before it is ready", async () => {
  const { client, sidecar } = begin();
  expect(await client.call("health", {})).toMatchObject({ ok: true });
  expect(sidecar.state).toMatchObject({ kind: "ready", version: "1.2.3" });
});

it("fails the calls of a sidecar that crashes, and answers the next", async () => {
  const { client, states } = begin();
  const first = await client.call("health", {});
  const waiting = client.call("rpc.discover", {});
  const crashing = await client.call("jobs/list", {});
  for (const lost of [await waiting, crashing]) {
    expect(lost).toMatchObject({ ok: false, error: { code: AppError.sidecarGone, data: { retryable: true } } });
  }
  const second = await client.call("health", {});
  expect(second).toMatchObject({ ok: true });
  expect(second).not.toEqual(first);
  expect(kinds(states)).toEqual(["ready", "restarting", "ready"]);
});

it("gives up at the fourth crash within a minute, says why, and begins anew when asked", async () => {
  const { client, sidecar, states } = begin(["--silent-death"]);
  expect(await client.call("health", {})).toMatchObject({ ok: false, error: { code: AppError.sidecarGone } });
  await isFailed(sidecar);
  expect(kinds(states)).toEqual(["restarting", "restarting", "restarting", "failed"]);
  expect(sidecar.state).toMatchObject({ reason: expect.stringContaining("ended with 7") as string, hint: expect.stringContaining("no room to live") as string });
  expect(await client.call("health", {})).toMatchObject({ ok: false, error: { code: AppError.sidecarGone } });
  sidecar.restart();
  expect(kinds(states).at(4)).toBe("starting");
  await isFailed(sidecar);
});

it("does not count crashes of long ago", async () => {
  let now = 0;
  const { client, sidecar } = begin([], { now: () => (now += 61_000) });
  for (let crash = 0; crash < 5; crash++) await client.call("jobs/list", {});
  expect(await client.call("health", {})).toMatchObject({ ok: true });
  expect(sidecar.state.kind).toBe("ready");
});

it("says so when there is no such program", async () => {
  const { client, sidecar } = begin([], { program: "/nowhere/sidecar" });
  expect(await client.call("health", {})).toMatchObject({ ok: false, error: { code: AppError.sidecarGone } });
  expect(sidecar.state).toMatchObject({ kind: "failed", reason: expect.stringContaining("ENOENT") as string });
});

it("keeps what is written on stderr, however much, and is not held up by it", async () => {
  const { client, log } = begin();
  expect(await client.call("cache/clear", {})).toMatchObject({ ok: true });
  await vi.waitFor(() => expect(log.tail(1)[0]).toHaveLength(4_000_000));
});

it("tells progress, and cancels", async () => {
  const { client } = begin();
  const controller = new AbortController();
  const told: Told[] = [];
  const tell = (one: Told) => {
    told.push(one);
    controller.abort();
  };
  const outcome = await client.call("rpc.discover", {}, { progress: true, tell, signal: controller.signal });
  expect(told).toEqual([{ kind: "progress", progress: { kind: "report", done: 1 } }]);
  expect(outcome).toMatchObject({ ok: false, error: { code: -32800 } });
});

it("ends with the app, and is not started again", async () => {
  const { client, sidecar } = begin();
  const health = await client.call("health", {});
  const { pid } = (health.ok ? health.result : {}) as { pid: number };
  await sidecar.stop();
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  expect(sidecar.state.kind).toBe("failed");
  expect(await client.call("health", {})).toMatchObject({ ok: false });
});
