// Who is kept out: a wrong token, and a page of another origin that knows the address.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasNoChromium, openApp, startBrowser } from "./browser.js";
import { makeFolders, startHost } from "./host.js";
import type { Host } from "./host.js";

describe.skipIf(hasNoChromium())("who is let in", () => {
  const folders = makeFolders();
  let browser: Browser;
  let host: Host;
  beforeAll(async () => {
    [browser, host] = await Promise.all([startBrowser(), startHost(folders)]);
  });
  afterAll(async () => {
    await browser?.close();
    await host?.end();
    folders.remove();
  });

  test("a wrong token is refused, in a sentence that says what to do", async () => {
    const page = await browser.newPage();
    await page.goto(host.address.replace(/token=.*/, "token=wrong"));
    await page.getByText("This address is not the one that the program printed.").waitFor();
    await page.getByText("Open the whole address, with its token").waitFor();
    expect(await page.locator("nav").count()).toBe(0);
    await page.close();
  });

  test("a page of another origin gets no WebSocket, even with the right token", async () => {
    const hostile = createServer((_, response) => response.setHeader("content-type", "text/html").end("<p>hostile")).listen(0, "127.0.0.1");
    await once(hostile, "listening");
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(hostile.address() as AddressInfo).port}/`);
    const { port, searchParams } = new URL(host.address);
    const outcome = await page.evaluate(
      ([address, protocol]) =>
        new Promise((settle) => {
          const socket = new WebSocket(address ?? "", protocol);
          socket.onopen = () => settle("let in");
          socket.onerror = () => settle("refused");
        }),
      [`ws://127.0.0.1:${port}/ipc`, `dipper.${searchParams.get("token") ?? ""}`],
    );
    expect(outcome).toBe("refused");
    await page.close();
    hostile.close();
    await (await openApp(browser, host.address)).page.context().close();
  });

  test("a file outside the allowed folders is refused", async () => {
    const { page } = await openApp(browser, host.address);
    const outcome = await page.evaluate(() => window.dipper.call(9001, "audio/info", { path: "/etc/hostname" }));
    expect(outcome).toMatchObject({ ok: false, error: { code: 2001 } });
    await page.context().close();
  });
});
