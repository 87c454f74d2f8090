// Chromium with a page that remembers every fault it reports: errors, what the content security policy forbade.
import { chromium } from "playwright-core";
import type { Browser, Page } from "playwright-core";
import { chromiumPath } from "./places.js";

/** Whether the suite is to be skipped. @throws Error where it has to run and cannot */
export function hasNoChromium(): boolean {
  if (chromiumPath()) return false;
  if (process.env["CI"]) throw new Error("There is no Chromium here. Install one, or name it in CHROMIUM.");
  console.warn("End to end tests are SKIPPED: there is no Chromium here. Name one in CHROMIUM.");
  return true;
}

export function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath() ?? "", args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"] });
}

export interface Opened {
  page: Page;
  faults: string[];
}

export interface Looks {
  scheme?: "light" | "dark";
  width?: number;
  height?: number;
}

/** A page of the app, ready to be used. The sound that was played last is `window.playedSound`. */
export async function openApp(browser: Browser, address: string, { scheme = "light", width = 1280, height = 800 }: Looks = {}): Promise<Opened> {
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height }, reducedMotion: "reduce" });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(error.message));
  await page.addInitScript(() => {
    const play = HTMLMediaElement.prototype.play;
    HTMLMediaElement.prototype.play = function (this: HTMLMediaElement) {
      Object.assign(window, { playedSound: this });
      return play.call(this);
    };
  });
  await page.goto(address);
  await page.locator('[data-sidecar="ready"]').waitFor();
  return { page, faults };
}

/** Show a page by its hash, as a link would. */
export async function show(page: Page, hash: string): Promise<void> {
  await page.evaluate((next) => { window.location.hash = next; }, hash);
  await page.locator("main .page").first().waitFor();
}
