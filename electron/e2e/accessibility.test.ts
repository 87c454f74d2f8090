// Every page, light and dark: no serious fault of accessibility, no error in the console, nothing that the policy forbids.
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasNoChromium, openApp, show, startBrowser } from "./browser.js";
import { makeFolders, startHost } from "./host.js";
import type { Host } from "./host.js";
import { writeBirdnetTable, writeRecording } from "./recordings.js";

describe.skipIf(hasNoChromium())("every page", () => {
  const folders = makeFolders();
  const recording = join(folders.audio, "dawn.wav");
  const table = join(folders.audio, "birdnet.csv");
  const pages: ReadonlyArray<[hash: string, filled: string]> = [
    ["#/run", "main h1"],
    ["#/jobs", "main h1"],
    ["#/explore", "main h1"],
    [`#/explore?path=${encodeURIComponent(table)}`, ".card img"],
    [`#/clip?path=${encodeURIComponent(recording)}&start=5&end=10`, "main img, main canvas"],
    ["#/environment", "main [data-status]"],
    ["#/settings", "main h1"],
    ["#/help", "main h1"],
  ];
  let browser: Browser;
  let host: Host;

  beforeAll(async () => {
    writeRecording(recording, 30);
    writeBirdnetTable(table, recording, 30, 30);
    [browser, host] = await Promise.all([startBrowser(), startHost(folders)]);
  });
  afterAll(async () => {
    await browser?.close();
    await host?.end();
    folders.remove();
  });

  test.each(["light", "dark"] as const)("is accessible and without errors, %s", async (scheme) => {
    const { page, faults } = await openApp(browser, host.address, { scheme });
    const found: string[] = [];
    for (const [hash, filled] of pages) {
      await show(page, hash);
      await page.locator(filled).first().waitFor();
      const { violations } = await new AxeBuilder({ page }).analyze();
      for (const { id, impact, nodes } of violations) {
        if (impact !== "serious" && impact !== "critical") continue;
        found.push(...nodes.slice(0, 5).map((node) => `${hash.slice(0, 12)} ${id}: ${node.html.slice(0, 160)} ${node.failureSummary?.split("\n")[1] ?? ""}`));
      }
    }
    expect(found).toEqual([]);
    expect(faults).toEqual([]);
    await page.context().close();
  });
});
