// Pictures of every page, light and dark, for docs/screenshots: npm run screenshots -- FOLDER_WITH_RECORDINGS [WIDTH HEIGHT OUT]
import { copyFileSync, mkdirSync, readdirSync, realpathSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import type { Browser } from "playwright-core";
import { openApp, show, startBrowser } from "./browser.js";
import { makeFolders, startHost } from "./host.js";
import type { Folders } from "./host.js";
import { CHECKOUT, developmentPython } from "./places.js";

type Pages = ReadonlyArray<[name: string, hash: string, filled: string]>;

const [source, width = "1280", height = "800", out = join(CHECKOUT, "docs", "screenshots")] = process.argv.slice(2);
if (!source) throw new Error("Name a folder with recordings.");
const python = developmentPython();
if (!python) throw new Error("The development environment is not there: python3 dev.py setup.");
const folders = makeFolders({ python });
const recordings = readdirSync(source).filter((name) => extname(name) === ".wav");
for (const name of recordings) copyFileSync(join(source, name), join(folders.audio, name));
mkdirSync(out, { recursive: true });
const host = await startHost(folders, [CHECKOUT, dirname(realpathSync(python))]);
const browser = await startBrowser();
try {
  const pages = await preparedPages(browser, host.address, folders);
  for (const scheme of ["light", "dark"] as const) await takeAll(browser, host.address, scheme, pages);
} finally {
  await browser.close();
  await host.end();
  folders.remove();
}

/** Run a detector, so that there is a job with scores to be shown. */
async function preparedPages(chromium: Browser, address: string, { audio, out: results }: Folders): Promise<Pages> {
  const { page } = await openApp(chromium, address);
  const path = await page.evaluate(async ([folder, output]) => {
    const config = {
      name: "pond",
      model: { source: "ribbit", className: "Great Plains toad", signalBandHz: [2000, 2500], pulseRateHz: [10, 20], clipSeconds: 3 },
      input: { folders: [folder ?? ""] },
      output: { folder: output ?? "" },
    } as const;
    const settings = await window.dipper.command("settings/read", {});
    const python = settings.ok ? settings.result.python : null;
    const run = await window.dipper.call(7001, "inference/run", { config: config as never, environment: { python }, wait: true } as never);
    if (!run.ok) throw new Error(run.error.message);
    return (run.result as { jobFolder: string }).jobFolder;
  }, [audio, results]);
  await page.context().close();
  const explored = `#/explore?path=${encodeURIComponent(path)}`;
  const clip = `#/clip?${new URLSearchParams({ path: join(audio, recordings.find((name) => name.includes("toad")) ?? recordings[0] ?? ""), start: "3", end: "6", class: "Great Plains toad", score: "412" }).toString()}`;
  return [
    ["new-run", "#/run", "main h1"],
    ["jobs", "#/jobs", "[data-state]"],
    ["explore", explored, ".card img"],
    ["clip", clip, "main img, main canvas"],
    ["environment", "#/environment", "main [data-status]"],
    ["settings", "#/settings", "main h1"],
    ["help", "#/help", "main h1"],
  ];
}

async function takeAll(chromium: Browser, address: string, scheme: "light" | "dark", pages: Pages): Promise<void> {
  const { page } = await openApp(chromium, address, { scheme, width: Number(width), height: Number(height) });
  for (const [name, hash, filled] of pages) {
    await show(page, hash);
    await page.locator(filled).first().waitFor();
    await page.waitForLoadState("networkidle");
    await page.waitForFunction(() => !document.querySelector(".card-waiting, .mantine-Loader-root"));
    await page.screenshot({ path: join(out, `${name}-${scheme}.png`), animations: "disabled" });
    console.log(`${name}-${scheme}.png`);
  }
  await page.context().close();
}
