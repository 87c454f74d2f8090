// The renderer's files under app://dipper/, with the policy that keeps them to themselves.
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { protocol } from "electron";
import { contentSecurityPolicy } from "../content-security.js";
import { fileOf, SCHEME } from "../own-address.js";

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".woff2": "font/woff2",
  ".woff": "font/woff",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".json": "application/json",
};

/** Before the app is ready: the scheme behaves like https. */
export function registerScheme(): void {
  protocol.registerSchemesAsPrivileged([{ scheme: SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true } }]);
}

/** When the app is ready: answer from `folder` and from nowhere else. */
export function serveRenderer(folder: string): void {
  protocol.handle(SCHEME, async ({ url, method }) => {
    const file = method === "GET" ? fileOf(url, folder) : null;
    if (!file) return refused();
    try {
      return new Response(new Uint8Array(await readFile(file)), { headers: headersOf(file) });
    } catch {
      return refused();
    }
  });
}

function refused(): Response {
  return new Response("There is no such page.", { status: 404, headers: headersOf(".txt") });
}

function headersOf(file: string): Record<string, string> {
  return {
    "content-type": TYPES[extname(file)] ?? "text/plain; charset=utf-8",
    "content-security-policy": contentSecurityPolicy(),
    "x-content-type-options": "nosniff",
  };
}
