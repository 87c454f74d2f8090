// `npm run dist`, its last step: the installers, from what was built and proven before. electron-builder makes them.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ELECTRON = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const NEEDED = ["electron", "electron-builder"];

const missing = NEEDED.filter((name) => !existsSync(join(ELECTRON, "node_modules", name, "package.json")));
if (missing.length) {
  console.error(
    `dist: the sidecar, the environment archive and their sums are in dist/release/, built and proven.\n` +
      `dist: it STOPS here: ${missing.join(" and ")} not installed, so no installer of the desktop app was made.`,
  );
  process.exit(1);
}
const app = spawnSync(process.execPath, [join(ELECTRON, "scripts", "build.js")], { cwd: ELECTRON, stdio: "inherit" });
if (app.status !== 0) process.exit(1);
const builder = join(ELECTRON, "node_modules", "electron-builder", "cli.js");
const made = spawnSync(process.execPath, [builder, "--config", "electron-builder.config.cjs", ...process.argv.slice(2)], { cwd: ELECTRON, stdio: "inherit" });
if (made.status !== 0) {
  console.error(
    "dist: the app is built, but electron-builder made no complete set of installers. It downloads Electron's program, and\n" +
      "dist: the tools that make AppImage, deb and NSIS installers: without a network it gets no further than this.",
  );
}
process.exitCode = made.status ?? 1;
