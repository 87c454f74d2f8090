// The real app, started once. Where Electron's program is not installed it says so and is skipped.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, it, vi } from "vitest";

const ELECTRON = resolve(import.meta.dirname, "..", "..", "..");
const PROGRAM = findProgram();
const hasScreen = process.platform !== "linux" || spawnSync("xvfb-run", ["--help"]).status === 0;
const reason = !PROGRAM ? "Electron's program is not installed (npm ran with --ignore-scripts)" : hasScreen ? null : "there is no xvfb-run";
if (reason) console.log(`smoke test of the app in Electron is skipped: ${reason}`);

function findProgram(): string | null {
  const folder = join(ELECTRON, "node_modules", "electron");
  const named = join(folder, "path.txt");
  const program = existsSync(named) ? join(folder, "dist", readFileSync(named, "utf8").trim()) : "";
  return existsSync(program) ? program : null;
}

it.skipIf(reason !== null)("starts, with a sidecar that answers", { timeout: 90_000 }, async () => {
  spawnSync(process.execPath, ["scripts/build.js"], { cwd: ELECTRON });
  const data = mkdtempSync(join(tmpdir(), "dipper-smoke-"));
  const command = [PROGRAM ?? "", "--no-sandbox", ELECTRON, `--user-data-dir=${data}`];
  const [program = "", ...args] = process.platform === "linux" ? ["xvfb-run", "-a", ...command] : command;
  const app = spawn(program, args, { stdio: "ignore", detached: true });
  try {
    const log = join(data, "logs", "app.log");
    await vi.waitFor(() => expect(readFileSync(log, "utf8")).toContain('"kind":"ready"'), { timeout: 60_000, interval: 200 });
  } finally {
    if (app.pid) process.kill(-app.pid);
  }
});
