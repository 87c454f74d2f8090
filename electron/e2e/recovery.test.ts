// Tables of other programs, and a sidecar that is killed while somebody works.
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasNoChromium, openApp, show, startBrowser } from "./browser.js";
import type { Opened } from "./browser.js";
import { makeFolders, startHost } from "./host.js";
import type { Host } from "./host.js";
import { writeBirdnetTable, writeRecording } from "./recordings.js";

describe.skipIf(hasNoChromium())("a table of BirdNET and a killed sidecar", () => {
  const folders = makeFolders();
  const table = join(folders.audio, "birdnet.csv");
  let browser: Browser;
  let host: Host;
  let opened: Opened;
  let page: Page;

  beforeAll(async () => {
    const recording = join(folders.audio, "dawn.wav");
    writeRecording(recording, 60);
    writeBirdnetTable(table, recording, 90, 60);
    [browser, host] = await Promise.all([startBrowser(), startHost(folders)]);
    opened = await openApp(browser, host.address);
    page = opened.page;
  });
  afterAll(async () => {
    await browser?.close();
    await host?.end();
    folders.remove();
  });

  test("a BirdNET table is opened: its species, scores and sounds", async () => {
    await show(page, `#/explore?path=${encodeURIComponent(table)}`);
    const classes = page.getByRole("listbox", { name: "Classes" }).getByRole("option");
    await classes.nth(2).waitFor();
    expect(await classes.count()).toBe(3);
    await page.locator(".card img").nth(3).waitFor();
    expect(await page.locator(".card-failed").count()).toBe(0);
  });

  test("the sidecar is killed: the app says so, starts it again and goes on", async () => {
    const pid = await sidecarPid(page);
    const seen = page.evaluate(() => new Promise<string[]>((settle) => {
      const kinds: string[] = [];
      const stop = window.dipper.onEvent((event) => {
        if (event.kind !== "sidecar") return;
        kinds.push(event.state.kind);
        if (event.state.kind === "ready") { stop(); settle(kinds); }
      });
    }));
    const restarting = page.locator('[data-sidecar="restarting"], [data-sidecar="starting"]').waitFor();
    process.kill(pid, "SIGKILL");
    await restarting;
    expect(await seen).toContain("restarting");
    await page.locator('[data-sidecar="ready"]').waitFor();
    expect(await sidecarPid(page)).not.toBe(pid);
    await page.getByRole("listbox", { name: "Classes" }).getByRole("option").nth(1).click();
    await page.locator(".card img").first().waitFor();
    expect(opened.faults).toEqual([]);
  });
});

async function sidecarPid(page: Page): Promise<number> {
  const described = await page.evaluate(() => window.dipper.command("app/describe", {}));
  if (!described.ok || described.result.sidecar.kind !== "ready") throw new Error("The sidecar is not ready.");
  return described.result.sidecar.pid;
}
