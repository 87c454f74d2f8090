import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { AppError } from "../shared/api.js";
import { runHost, TestWindow } from "./testing/running-host.js";
import type { RunningHost } from "./testing/running-host.js";

const REFUSED = { ok: false, error: { code: AppError.refused } };
const SECOND_OF_SILENCE = wav(new Int16Array(8000));

let host: RunningHost;
let page: TestWindow;

beforeAll(async () => {
  host = await runHost();
  page = await TestWindow.open(host.address);
  for (const folder of [host.root, host.outside]) writeFileSync(join(folder, "a.wav"), SECOND_OF_SILENCE);
  symlinkSync(host.outside, join(host.root, "link"));
  symlinkSync(join(host.outside, "new.json"), join(host.root, "dangling.json"));
  expect((await page.call("health", {})).ok).toBe(true);
}, 30_000);

afterAll(() => {
  host.process.kill("SIGKILL");
});

/** The status and headers of a request as it is: fetch would not send such a host or path. */
function get(path: string, headers: Record<string, string> = {}): Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; text: string }> {
  return new Promise((resolve, reject) => {
    const asking = request({ host: "127.0.0.1", port: host.address.port, path, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(parts).toString() }));
    });
    asking.on("error", reject).end();
  });
}

describe("pages", () => {
  it("are served with a strict policy, and the calls' script before all others", async () => {
    const { status, headers, text } = await get("/");
    expect(status).toBe(200);
    expect(text).toContain('<head><script src="/dipper-api.js"></script>');
    const policy = String(headers["content-security-policy"]);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(headers).toMatchObject({ "x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-store" });
    expect((await get("/dipper-api.js")).text).toContain("WebSocket");
  });

  it.each(["/../package.json", "/..%2f..%2fpackage.json", "/%2e%2e/package.json", "//etc/passwd", "/..%5cpackage.json", "/%00", "/host/main.js", "/%"])(
    "are all there is: %s",
    async (path) => {
      expect((await get(path)).status).toBeGreaterThanOrEqual(400);
    },
  );

  it.each(["evil.example", "127.0.0.1.evil.example:80", "localhost:1; script-src *"])("are not for whoever says Host: %j", async (name) => {
    expect((await get("/", { host: name })).status).toBeGreaterThanOrEqual(400);
  });
});

describe("a window", () => {
  it.each([
    ["a wrong token", { token: "A".repeat(43) }],
    ["no token", { token: "" }],
    ["the origin of another page", { origin: "http://evil.example" }],
    ["the origin of another port", { origin: "http://127.0.0.1:1" }],
    ["no origin", { origin: "null" }],
    ["a name that leads here", { host: "evil.example", origin: "http://evil.example" }],
  ])("is refused with %s", async (_, changes) => {
    await expect(TestWindow.open(host.address, changes)).rejects.toThrow("403");
  });

  it("is let in through a tunnel's other port", async () => {
    const window = await TestWindow.open(host.address, { host: "localhost:9", origin: "http://localhost:9" });
    await vi.waitFor(() => expect(window.events[0]).toMatchObject({ kind: "sidecar", state: { kind: "ready" } }));
    window.socket.close();
  });

  it("has call numbers of its own", async () => {
    const other = await TestWindow.open(host.address);
    const outcomes = await Promise.all([page.call("health", {}, 900), other.call("health", {}, 900)]);
    for (const outcome of outcomes) expect(outcome.ok).toBe(true);
    other.socket.close();
  });

  it("is closed for what is no message, and the others stay", async () => {
    const other = await TestWindow.open(host.address);
    const closed = new Promise((resolve) => other.socket.once("close", resolve));
    other.socket.send('{"kind": "eval"}');
    expect(await closed).toBe(1003);
    expect((await page.call("health", {})).ok).toBe(true);
  });

  it("is closed for a message beyond the limit", async () => {
    const other = await TestWindow.open(host.address);
    const closed = new Promise((resolve) => other.socket.once("close", resolve));
    other.socket.send("x".repeat(17 * 1024 * 1024));
    expect(await closed).toBe(1009);
    expect((await page.call("health", {})).ok).toBe(true);
  });

  it("asks only for what is in the contract", async () => {
    for (const method of ["shutdown", "initialize", "no/such"]) expect(await page.call(method, {})).toMatchObject(REFUSED);
  });
});

describe("the allowed folders", () => {
  const inside = (name: string) => join(host.root, name);
  const outside = (name: string) => join(host.outside, name);

  it("are open", async () => {
    expect(await page.call("audio/info", { path: inside("a.wav") })).toMatchObject({ ok: true });
    expect(await page.call("audio/info", { path: pathToFileURL(inside("a.wav")).href })).toMatchObject({ ok: true });
    expect(await page.call("env/check", {})).toMatchObject({ ok: true, result: { status: "missing" } });
    expect(await page.command("files/list", { folder: host.root })).toMatchObject({ ok: true, result: { parent: null } });
  });

  it("are named when a path is refused", async () => {
    const outcome = await page.call("audio/info", { path: outside("a.wav") });
    expect(outcome).toMatchObject({ ...REFUSED, error: { message: expect.stringContaining(outside("a.wav")) as string, data: { hint: expect.stringContaining(host.root) as string } } });
  });

  it.each<[string, string, () => unknown]>([
    ["a path outside", "audio/info", () => ({ path: outside("a.wav") })],
    ["a way up", "audio/info", () => ({ path: `${host.root}/../outside/a.wav` })],
    ["a link", "audio/info", () => ({ path: inside("link/a.wav") })],
    ["a URI", "audio/info", () => ({ path: pathToFileURL(outside("a.wav")).href })],
    ["a URI with a way up", "audio/info", () => ({ path: `${pathToFileURL(host.root).href}/%2e%2e/outside/a.wav` })],
    ["a URI with a query", "audio/info", () => ({ path: `${pathToFileURL(host.root).href}/a.wav?/../../outside/a.wav` })],
    ["a relative path", "audio/info", () => ({ path: "a.wav" })],
    ["an empty path", "folders/scan", () => ({ folder: "" })],
    ["a folder that begins alike", "folders/scan", () => ({ folder: `${host.root}-other` })],
    ["a clip among others", "audio/clips", () => ({ clips: [{ path: inside("a.wav"), startSeconds: 0, endSeconds: 1 }, { path: outside("a.wav"), startSeconds: 0, endSeconds: 1 }] })],
    ["files of the server", "audio/clip", () => ({ path: inside("a.wav"), startSeconds: 0, endSeconds: 1, delivery: "file" })],
    ["another folder for blobs", "audio/clip", () => ({ path: inside("a.wav"), startSeconds: 0, endSeconds: 1, blobFolder: outside("b") })],
    ["an interpreter", "env/check", () => ({ python: "/bin/sh", deep: true })],
    ["an interpreter of a run", "inference/run", () => ({ config: config(inside("out")), environment: { python: "/bin/sh" } })],
    ["an environment to be removed", "env/remove", () => ({ folder: outside("env") })],
    ["an archive", "env/setup", () => ({ archive: outside("env.tar.gz") })],
    ["a config's output", "inference/run", () => ({ config: config(outside("out")) })],
    ["a config's recordings", "config/validate", () => ({ config: { ...config(inside("out")), input: { patterns: [outside("*.wav")] } } })],
    ["a model", "config/validate", () => ({ config: { ...config(inside("out")), model: { source: "checkpoint", path: outside("m.pt") } } })],
    ["a link to what is not there yet", "config/save", () => ({ path: inside("dangling.json"), config: config(inside("out")) })],
    ["where recordings are sought", "scores/load", () => ({ path: inside("scores.csv"), audioRoot: host.outside })],
    ["a job's folder", "jobs/resume", () => ({ jobFolder: outside("job") })],
  ])("bind %s", async (_, method, params) => {
    expect(await page.call(method, params())).toMatchObject(REFUSED);
  });

  it.each<[string, string, () => unknown]>([
    ["listing", "files/list", () => ({ folder: host.outside })],
    ["listing by a link", "files/list", () => ({ folder: inside("link") })],
    ["the interpreter in the settings", "settings/write", () => ({ changes: { python: "/bin/sh" } })],
    ["the environment in the settings", "settings/write", () => ({ changes: { environmentFolder: host.outside } })],
    ["what was opened", "recents/add", () => ({ kind: "scores", path: outside("scores.csv") })],
  ])("bind %s", async (_, name, params) => {
    expect(await page.command(name, params())).toMatchObject(REFUSED);
  });

  it("bind what a config file holds", async () => {
    writeFileSync(inside("sly.json"), JSON.stringify({ schemaVersion: 1, ...config(outside("out")) }));
    for (const [method, field] of [["inference/run", "configPath"], ["config/validate", "path"]] as const) {
      expect(await page.call(method, { [field]: inside("sly.json") })).toMatchObject(REFUSED);
    }
  });

  it.each<[string, () => unknown]>([
    ["a folder", () => ({ folders: [host.root] })],
    ["a folder given as a URI", () => ({ folders: [pathToFileURL(host.root).href] })],
    ["a pattern", () => ({ patterns: [inside("*/*.wav")] })],
    ["a pattern of any depth", () => ({ patterns: [inside("**/*.wav")] })],
  ])("bind links that are met on the way through %s", async (_, input) => {
    for (const method of ["inference/run", "config/validate"]) {
      const outcome = await page.call(method, { config: { ...config(inside("out")), input: input() } });
      expect(outcome).toMatchObject({ ...REFUSED, error: { message: expect.stringContaining(host.root) as string } });
    }
  });

  it("let patterns pass that meet no link", async () => {
    mkdirSync(inside("site"));
    writeFileSync(inside("site/a.wav"), SECOND_OF_SILENCE);
    const outcome = await page.call("config/validate", { config: { ...config(inside("out")), input: { patterns: [inside("site/*.wav")] } } });
    expect(outcome).toMatchObject({ ok: true, result: { files: { valid: [inside("site/a.wav")] } } });
  });

  it("bind what goes on in a job's folder", async () => {
    mkdirSync(inside("job"));
    writeFileSync(inside("job/config.json"), JSON.stringify({ schemaVersion: 1, ...config(outside("out")) }));
    expect(await page.call("jobs/resume", { jobFolder: inside("job") })).toMatchObject(REFUSED);
  });

  it.each(["absolute", "relative", "linked"])("bind the recordings that a table names: %s", async (kind) => {
    const names: Record<string, string> = { absolute: outside("a.wav"), relative: "../outside/a.wav", linked: "link/a.wav" };
    const scoresId = await table(`${kind}.csv`, names[kind] ?? "");
    expect(await page.call("detections/sample", { scoresId, class: "owl", render: {} })).toMatchObject(REFUSED);
    expect(await page.call("detections/export", { scoresId, folder: inside("clips") })).toMatchObject(REFUSED);
    expect(await page.call("detections/sample", { scoresId, class: "owl" })).toMatchObject({ ok: true });
  });

  it("show the clips of a table within them", async () => {
    const scoresId = await table("own.csv", "a.wav");
    const outcome = await page.call("detections/sample", { scoresId, class: "owl", render: {} });
    expect(outcome).toMatchObject({ ok: true, result: { detections: [{ path: inside("a.wav"), error: null, clip: { durationSeconds: 1 } }] } });
  });

  async function table(name: string, recording: string): Promise<string> {
    writeFileSync(inside(name), `file,start_time,end_time,owl\n${recording},0,1,0.5\n`);
    const outcome = await page.call("scores/load", { path: inside(name) });
    expect(outcome).toMatchObject({ ok: true });
    return (outcome as unknown as { result: { scoresId: string } }).result.scoresId;
  }

  function config(output: string) {
    const model = { source: "ribbit", className: "frog", signalBandHz: [1000, 2000], pulseRateHz: [5, 10] };
    return { model, input: { files: [inside("a.wav")] }, output: { folder: output } };
  }
});

describe("the host", () => {
  it("keeps settings and tells every window", async () => {
    const other = await TestWindow.open(host.address);
    expect(await page.command("settings/write", { changes: { theme: "dark" } })).toMatchObject({ ok: true, result: { theme: "dark" } });
    await vi.waitFor(() => expect(other.events.at(-1)).toMatchObject({ kind: "settings", settings: { theme: "dark" } }));
    other.socket.close();
  });

  it("starts a sidecar that was killed again, and tells so", async () => {
    const before = await sidecarPid();
    process.kill(before, "SIGKILL");
    await vi.waitFor(() => expect(page.events).toContainEqual(expect.objectContaining({ kind: "sidecar", state: expect.objectContaining({ kind: "restarting", attempt: 1 }) as unknown })), 5_000);
    expect((await page.call("health", {})).ok).toBe(true);
    expect(await sidecarPid()).not.toBe(before);
    expect(await page.command("logs/tail", { lines: 50 })).toMatchObject({ ok: true, result: expect.arrayContaining([expect.stringContaining("SIGKILL")]) as string[] });
  });

  it("ends with its sidecar", async () => {
    const pid = await sidecarPid();
    const ended = new Promise((resolve) => host.process.once("exit", resolve));
    host.process.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });

  async function sidecarPid(): Promise<number> {
    const outcome = (await page.command("app/describe", {})) as unknown as { result: { sidecar: { pid: number } } };
    return outcome.result.sidecar.pid;
  }
});

function wav(samples: Int16Array): Buffer {
  const header = Buffer.alloc(44);
  const rate = 8000;
  header.write("RIFF", 0);
  header.writeUInt32LE(36 + samples.byteLength, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(rate * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write("data", 36);
  header.writeUInt32LE(samples.byteLength, 40);
  return Buffer.concat([header, Buffer.from(samples.buffer)]);
}
