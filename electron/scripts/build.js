// Builds what runs: the renderer (vite), the host and Electron's processes (esbuild), into dist/.
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build as bundle } from "esbuild";
import { build as buildRenderer } from "vite";

const ELECTRON = resolve(dirname(fileURLToPath(import.meta.url)), "..");
/** @type {import("esbuild").BuildOptions} */
const NODE = { platform: "node", target: "node20", external: ["electron"] };
// What is bundled as a module may still call require, as ws does for what it can do without.
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** @type {{ entry: string, file: string, options: import("esbuild").BuildOptions }[]} */
const TARGETS = [
  { entry: "src/host/main.ts", file: "dist/host/main.js", options: { ...NODE, format: "esm", banner: { js: `#!/usr/bin/env node\n${REQUIRE}` } } },
  { entry: "src/host/browser-api.ts", file: "dist/host/browser-api.js", options: { platform: "browser", target: "es2022", format: "iife" } },
  { entry: "src/main/electron/main.ts", file: "dist/main/main.js", options: { ...NODE, format: "esm", banner: { js: REQUIRE } } },
  { entry: "src/preload/preload.ts", file: "dist/preload/preload.cjs", options: { ...NODE, format: "cjs" } },
];

const present = TARGETS.filter(({ entry }) => existsSync(join(ELECTRON, entry)));
await Promise.all(
  present.map(({ entry, file, options }) =>
    bundle({ ...options, entryPoints: [join(ELECTRON, entry)], outfile: join(ELECTRON, file), bundle: true, minify: true, logLevel: "warning" }),
  ),
);
await buildRenderer({ root: join(ELECTRON, "src/renderer"), configFile: join(ELECTRON, "vite.config.ts"), logLevel: "warn" });
