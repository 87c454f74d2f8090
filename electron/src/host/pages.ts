// The renderer's files over HTTP, with the headers that keep them to themselves.
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, normalize, sep } from "node:path";
import { contentSecurityPolicy } from "../main/content-security.js";

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
const API_SCRIPT = "/dipper-api.js";

export interface PageFolders {
  renderer: string;
  /** The bundled browser-api.ts. */
  apiScript: string;
}

/** Answer a request for a page or one of its files. */
export async function servePage(request: IncomingMessage, response: ServerResponse, folders: PageFolders): Promise<void> {
  const path = pathOf(request.url ?? "/");
  if (path === null || (request.method !== "GET" && request.method !== "HEAD")) return finish(response, 405, "text/plain", "Not here.");
  try {
    const content = await readPage(path, folders);
    finish(response, 200, TYPES[path === "/" ? ".html" : extname(path)] ?? "application/octet-stream", content, request.headers.host);
  } catch {
    finish(response, 404, "text/plain; charset=utf-8", "There is no such page.");
  }
}

async function readPage(path: string, { renderer, apiScript }: PageFolders): Promise<Buffer | string> {
  if (path === API_SCRIPT) return readFile(apiScript);
  if (path !== "/") return readFile(join(renderer, path));
  const page = await readFile(join(renderer, "index.html"), "utf8");
  return page.replace("<head>", `<head><script src="${API_SCRIPT}"></script>`);
}

/** The path within the renderer's folder; null for one that leaves it. */
function pathOf(url: string): string | null {
  try {
    const path = decodeURIComponent(new URL(url, "http://host").pathname);
    const normal = normalize(path).split(sep).join("/");
    return path.includes("\0") || normal.includes("..") ? null : normal;
  } catch {
    return null;
  }
}

function finish(response: ServerResponse, status: number, type: string, content: Buffer | string, host?: string): void {
  response.writeHead(status, {
    "content-type": type,
    "content-security-policy": contentSecurityPolicy(host ? `ws://${host}` : ""),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": type.startsWith("text/html") ? "no-store" : "no-cache",
  });
  response.end(content);
}
