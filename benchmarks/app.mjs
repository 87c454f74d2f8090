// How quick the desktop app is, in a real Chromium against the real sidecar: medians, beside what they must not exceed.
//
//   node benchmarks/app.mjs [--check]      or  python3 dev.py bench app
//
// The app must be built (node electron/scripts/build.js). With --check it ends with 1 where a figure is over its bar.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const CHECKOUT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const require = createRequire(join(CHECKOUT, "electron", "package.json"));
const { chromium } = require("playwright-core");
const rpc = require("vscode-jsonrpc/node");

const RATE = 32_000;
const SECONDS = 300;
const RECORDINGS = 10;
const CLASSES = 4;
const CLIP_SECONDS = 3;
const REPEATS = 5;
const CALLS = 400;
const DETECTIONS = 10_000;
/** Wide and high enough for 24 cards at once. */
const WINDOW = { width: 1920, height: 1500 };

const folder = mkdtempSync(join(tmpdir(), "dipper-bench-"));
const figures = [];

/** Noise with a rising call every three seconds, 16 bits. */
function writeRecording(path, seed) {
  const frames = RATE * SECONDS;
  const bytes = Buffer.alloc(44 + frames * 2);
  bytes.write("RIFF", 0);
  bytes.writeUInt32LE(36 + frames * 2, 4);
  bytes.write("WAVEfmt ", 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(RATE, 24);
  bytes.writeUInt32LE(RATE * 2, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write("data", 36);
  bytes.writeUInt32LE(frames * 2, 40);
  let state = seed;
  for (let frame = 0; frame < frames; frame += 1) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    const time = (frame / RATE) % CLIP_SECONDS;
    const call = time > 1 && time < 1.6 ? Math.sin(2 * Math.PI * (2500 + 2000 * (time - 1)) * time) * 6000 : 0;
    bytes.writeInt16LE(Math.round((state / 2_147_483_648 - 0.5) * 1500 + call), 44 + frame * 2);
  }
  writeFileSync(path, bytes);
}

/** DETECTIONS scores in each of CLASSES classes, over all clips of all recordings. */
function writeTable(path, recordings) {
  const names = Array.from({ length: CLASSES }, (_, index) => `species ${index}`);
  const rows = [["file", "start_time", "end_time", ...names].join(",")];
  const clips = Math.ceil(DETECTIONS / recordings.length);
  const step = (SECONDS - CLIP_SECONDS) / clips;
  for (const recording of recordings) {
    for (let clip = 0; clip < clips; clip += 1) {
      const start = Math.round(clip * step * 1000) / 1000;
      const scores = names.map((_, index) => (((clip * 7919 + index * 104_729) % 10_007) / 10_007).toFixed(5));
      rows.push([recording, start, Math.round((start + CLIP_SECONDS) * 1000) / 1000, ...scores].join(","));
    }
  }
  writeFileSync(path, rows.join("\n"));
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function tell(name, value, bar, unit) {
  figures.push({ name, isOver: value > bar });
  console.log(`${name.padEnd(62)} ${value.toFixed(2).padStart(9)} ${unit.padEnd(3)} (at most ${bar} ${unit})${value > bar ? "  OVER" : ""}`);
}

async function startHost(data) {
  const host = spawn(process.execPath, [join(CHECKOUT, "electron/dist/host/main.js"), "--no-open", "--data", data, "--root", folder, "--checkout", CHECKOUT], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: host.stdout })) if (line.startsWith("http://")) return { host, address: line.trim() };
  throw new Error("the host told no address");
}

async function end(host) {
  const ended = new Promise((done) => host.once("exit", done));
  host.kill("SIGTERM");
  await ended;
}

/** When the sidecar had first answered, as the app's log tells, ms since 1970. */
function firstReply(data) {
  const line = readFileSync(join(data, "logs/app.log"), "utf8").split("\n").find((text) => text.includes('"kind":"ready"'));
  return Date.parse(line.split(" ")[0]);
}

async function measureStart(browser) {
  const waits = [];
  for (let repeat = 0; repeat < REPEATS; repeat += 1) {
    const data = mkdtempSync(join(folder, "data-"));
    const { host, address } = await startHost(data);
    const page = await browser.newPage({ viewport: WINDOW });
    await page.goto(`${address}#/run`);
    await page.locator('[data-sidecar="ready"]').waitFor();
    await page.getByRole("button", { name: "Choose folder" }).waitFor();
    waits.push((Date.now() - firstReply(data)) / 1000);
    await page.close();
    await end(host);
  }
  tell("first page usable after the sidecar's first reply", median(waits), 1, "s");
}

/** Milliseconds from choosing a class, in the page itself, until its first 24 cards have their pictures. */
function timeCards(page, className) {
  return page.evaluate(async (name) => {
    const row = [...document.querySelectorAll(".class-row")].find((item) => item.textContent.includes(name));
    const begun = performance.now();
    row.click();
    const isFilled = () => {
      const images = [...document.querySelectorAll(".card img")].slice(0, 24);
      return document.querySelector(".explorer-title").textContent === name && images.length === 24 && images.every((image) => image.complete && image.naturalWidth > 0);
    };
    while (!isFilled()) await new Promise(requestAnimationFrame);
    return performance.now() - begun;
  }, className);
}

async function openExplore(page, table) {
  await page.evaluate((hash) => { window.location.hash = hash; }, `#/explore?path=${encodeURIComponent(table)}`);
  await page.locator(".card img").first().waitFor();
}

async function measureCards(page, table) {
  const [cold, kept] = [[], []];
  for (let repeat = 0; repeat < REPEATS; repeat += 1) {
    await page.evaluate(() => window.dipper.call(1e9 + Math.floor(Math.random() * 1e6), "cache/clear", {}));
    await page.evaluate(() => { window.location.hash = "#/help"; });
    await openExplore(page, table);
    cold.push(await timeCards(page, "species 2"));
    await timeCards(page, "species 1");
    kept.push(await timeCards(page, "species 2"));
  }
  tell("24 spectrogram cards, from cold", median(cold) / 1000, 0.5, "s");
  tell("24 spectrogram cards, seen before", median(kept) / 1000, 0.1, "s");
}

/** Scroll through all detections while Chromium traces itself. */
async function measureScrolling(browser, page) {
  await timeCards(page, "species 0");
  await browser.startTracing(page, { categories: ["devtools.timeline", "disabled-by-default-devtools.timeline", "toplevel"] });
  await page.evaluate(async () => {
    const box = document.querySelector(".detection-scroller");
    const ends = performance.now() + 6000;
    while (performance.now() < ends) {
      box.scrollTop = box.scrollTop + 120 > box.scrollHeight - box.clientHeight ? 0 : box.scrollTop + 120;
      await new Promise(requestAnimationFrame);
    }
  });
  const { traceEvents } = JSON.parse(String(await browser.stopTracing()));
  const renderer = traceEvents.find((event) => event.name === "thread_name" && event.args.name === "CrRendererMain" && traceEvents.some((other) => other.pid === event.pid && other.name === "FunctionCall"));
  const tasks = traceEvents.filter((event) => event.name === "RunTask" && event.pid === renderer.pid && event.tid === renderer.tid && event.dur);
  const longest = Math.max(...tasks.map((event) => event.dur)) / 1000;
  const drawn = traceEvents.filter((event) => event.name === "DrawFrame").length;
  const dropped = traceEvents.filter((event) => event.name === "PipelineReporter" && JSON.stringify(event.args).includes("STATE_DROPPED")).length;
  tell(`scrolling ${DETECTIONS} detections, longest task of the main thread`, longest, 50, "ms");
  console.log(`${tasks.filter((event) => event.dur > 50_000).length} tasks over 50 ms of ${tasks.length}; ${drawn} frames drawn, ${dropped} dropped, in 6 s`);
}

function timesInPage(page) {
  return page.evaluate(async (count) => {
    const times = [];
    for (let call = 0; call < count; call += 1) {
      const begun = performance.now();
      await window.dipper.call(2e9 + call, "health", {});
      times.push(performance.now() - begun);
    }
    return times;
  }, CALLS);
}

async function timesDirect() {
  const python = join(CHECKOUT, ".venv", process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
  const sidecar = spawn(python, ["-m", "sidecar", "--state-folder", join(folder, "state"), "--cache-folder", join(folder, "cache")], { cwd: CHECKOUT, stdio: ["pipe", "pipe", "ignore"] });
  const connection = rpc.createMessageConnection(new rpc.StreamMessageReader(sidecar.stdout), new rpc.StreamMessageWriter(sidecar.stdin));
  connection.listen();
  const times = [];
  for (let call = 0; call < CALLS; call += 1) {
    const begun = performance.now();
    await connection.sendRequest("health");
    times.push(performance.now() - begun);
  }
  sidecar.stdin.end();
  return times;
}

async function measureOverhead(page) {
  const [inPage, direct] = [await timesInPage(page), await timesDirect()];
  tell("what the app adds to a call (window.dipper beside the pipe)", median(inPage) - median(direct), 2, "ms");
  console.log(`a call of health: ${median(inPage).toFixed(2)} ms in the page, ${median(direct).toFixed(2)} ms over the pipe`);
}

async function run() {
  const recordings = Array.from({ length: RECORDINGS }, (_, index) => join(folder, `site${index}_20240512_050000.wav`));
  recordings.forEach(writeRecording);
  const table = join(folder, "predictions.csv");
  writeTable(table, recordings);
  const executablePath = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => path && existsSync(path));
  const browser = await chromium.launch({ ...(executablePath ? { executablePath } : {}), args: ["--no-sandbox"] });
  try {
    await measureStart(browser);
    const { host, address } = await startHost(mkdtempSync(join(folder, "data-")));
    const page = await browser.newPage({ viewport: WINDOW });
    await page.goto(`${address}#/help`);
    await page.locator('[data-sidecar="ready"]').waitFor();
    await measureOverhead(page);
    await openExplore(page, table);
    await measureCards(page, table);
    await measureScrolling(browser, page);
    await end(host);
  } finally {
    await browser.close();
  }
}

try {
  await run();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (process.argv.includes("--check") && figures.some(({ isOver }) => isOver)) process.exitCode = 1;
