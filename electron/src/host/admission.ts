// Who may speak to the host: a window of its own pages that knows the token.
import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { SUBPROTOCOL } from "./wire.js";

/** Names that lead here; another one in Host is a page that had its own name resolved to this address. */
export function isOwnHost(request: IncomingMessage, names: ReadonlyArray<string>): boolean {
  const host = request.headers.host ?? "";
  return names.some((name) => host.replace(/:\d+$/, "") === name);
}

/** Why a WebSocket is refused; null where it is let in. */
export function refusalOf(request: IncomingMessage, token: string, names: ReadonlyArray<string>): string | null {
  const origin = request.headers.origin ?? "";
  if (!isOwnHost(request, names)) return "a host that is not ours";
  if (origin !== `http://${request.headers.host ?? ""}`) return `the origin ${origin || "nowhere"}`;
  const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
  return offered.some((name) => isEqual(name, SUBPROTOCOL + token)) ? null : "a wrong token";
}

function isEqual(given: string, expected: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}
