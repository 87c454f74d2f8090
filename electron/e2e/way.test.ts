// The whole way of an ecologist: from no environment to an exported table, and everything still there after a restart.
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasNoChromium, openApp, show, startBrowser } from "./browser.js";
import type { Opened } from "./browser.js";
import { makeFolders, startHost } from "./host.js";
import type { Host } from "./host.js";
import { archivePath } from "./places.js";
import { writeCorruptRecording, writeRecordings } from "./recordings.js";

const COUNT = 150;
const archive = archivePath();

describe.skipIf(hasNoChromium())("the whole way", () => {
  const folders = makeFolders();
  let browser: Browser;
  let host: Host;
  let opened: Opened;
  let page: Page;

  beforeAll(async () => {
    if (!archive) throw new Error("There is no packed environment. Build it first: python3 dev.py build-runtime.");
    writeRecordings(folders.audio, COUNT, 60);
    writeCorruptRecording(join(folders.audio, "zz_broken.wav"));
    browser = await startBrowser();
    await start();
  });
  afterAll(async () => {
    await browser?.close();
    await host?.end();
    folders.remove();
  });

  async function start(): Promise<void> {
    host = await startHost(folders, [dirname(realpathSync(archive ?? ""))]);
    opened = await openApp(browser, host.address);
    page = opened.page;
  }

  test("the environment is installed, with progress, from its archive", async () => {
    await show(page, "#/environment");
    await page.locator('[data-status="missing"]').waitFor();
    await page.getByRole("radio", { name: "an archive on this computer" }).check();
    await page.getByLabel("Archive", { exact: true }).fill(realpathSync(archive ?? ""));
    await page.getByRole("button", { name: "Install", exact: true }).click();
    await page.getByRole("progressbar", { name: "Installing" }).first().waitFor();
    await page.locator('[data-status="ready"]').waitFor({ timeout: 110_000 });
    expect(existsSync(join(folders.data, "environment"))).toBe(true);
  });

  test("a folder is scanned: counts, hours and the file that is broken", async () => {
    await show(page, "#/run");
    await page.getByRole("button", { name: "Choose folder" }).click();
    const dialog = page.getByRole("dialog", { name: "A folder with recordings" });
    await openFolderIn(page, folders.root, "audio");
    await dialog.getByRole("button", { name: "Choose this folder" }).click();
    await page.getByText(`${COUNT} recordings · 2 h 30 min`).waitFor();
    await page.getByRole("button", { name: "1 problem" }).click();
    await page.getByText("zz_broken.wav").first().waitFor();
  });

  test("a run is started, watched, cancelled and resumed to its end", async () => {
    await page.getByRole("radiogroup", { name: "Kind of model" }).getByText("RIBBIT").click();
    await page.getByLabel("Name of the class").fill("pulsing");
    await page.getByLabel("Signal band").fill("1800-2200");
    await page.getByLabel("Pulse rate").fill("5-15");
    await page.getByLabel("Clip length").fill("5");
    await page.getByLabel("Results go to").fill(folders.out);
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await page.getByRole("progressbar", { name: "Progress" }).first().waitFor();
    await page.getByText(/^[1-9]\d* % · /).waitFor();
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    await page.locator('.jobs-details [data-state="cancelled"]').waitFor();
    await page.getByRole("button", { name: "Resume", exact: true }).click();
    await page.locator('.jobs-details [data-state="completed"], .jobs-details [data-state="completed_with_failures"]').waitFor({ timeout: 110_000 });
    await page.getByText("zz_broken.wav").first().waitFor();
  });

  test("what was found is shown as cards with spectrograms", async () => {
    await page.locator(".jobs-details").getByRole("button", { name: "Explore" }).click();
    await page.getByRole("option", { name: /pulsing/ }).waitFor();
    await page.locator(".card img").first().waitFor();
    await page.waitForFunction(() => [...document.querySelectorAll<HTMLImageElement>(".card img")].filter((image) => image.naturalWidth > 0).length >= 8);
  });

  test("a click plays the clip, and the cursor moves with the sound", async () => {
    await page.getByRole("button", { name: /^Play pulsing/ }).first().click();
    const cursor = page.getByTestId("play-cursor");
    await cursor.waitFor({ state: "attached" });
    await page.waitForFunction(() => ((window as unknown as { playedSound?: HTMLAudioElement }).playedSound?.currentTime ?? 0) > 0.2);
    const before = await cursor.evaluate((line) => line.style.transform);
    await page.waitForFunction((old) => document.querySelector<HTMLElement>('[data-testid="play-cursor"]')?.style.transform !== old, before);
    await page.keyboard.press("Escape");
    await cursor.waitFor({ state: "detached" });
  });

  test("what is in range is exported as a Raven table", async () => {
    await page.getByRole("button", { name: "Export", exact: true }).click();
    await page.getByRole("menuitem", { name: "Raven selection table" }).click();
    await openFolderIn(page, folders.root, "out");
    await page.getByLabel("File name").fill("found.txt");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText("Exported", { exact: true }).waitFor();
    const [head = "", ...rows] = readFileSync(join(folders.out, "found.txt"), "utf8").trimEnd().split("\n");
    expect(head.split("\t")).toContain("Begin Time (s)");
    expect(rows.length).toBeGreaterThanOrEqual(COUNT);
  });

  test("after a restart the last page and the jobs are there", async () => {
    const hash = await page.evaluate(() => window.location.hash);
    expect(hash).toContain("#/explore?path=");
    await page.waitForFunction((wanted) => window.dipper.command("settings/read", {}).then((read) => read.ok && read.result.lastPage === wanted), hash);
    expect(opened.faults).toEqual([]);
    await page.context().close();
    await host.end();
    await start();
    await page.locator(".card img").first().waitFor();
    expect(await page.evaluate(() => window.location.hash)).toBe(hash);
    await show(page, "#/jobs");
    await page.getByRole("listbox", { name: "Jobs" }).getByRole("option").first().waitFor();
    expect(opened.faults).toEqual([]);
  });
});

/** In the file browser, from the roots to a folder of the test. */
async function openFolderIn(page: Page, root: string, name: string): Promise<void> {
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: realpathSync(root).split("/").at(-1) ?? "" }).click();
  await dialog.getByRole("button", { name, exact: true }).click();
  await dialog.getByText(join(realpathSync(root), name), { exact: true }).waitFor();
}
