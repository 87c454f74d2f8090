// What travels between a browser's window and the host, over a WebSocket: one JSON message a frame.
import type { AppEvent, Outcome, Told } from "../shared/api.js";

/** From the window. `requestId` is the window's own number for the answer. */
export type FromWindow =
  | { kind: "call"; requestId: number; callId: number; method: string; params: unknown; options: unknown }
  | { kind: "command"; requestId: number; name: string; params: unknown }
  | { kind: "cancel"; callId: number };

/** To the window. */
export type ToWindow =
  | { kind: "answer"; requestId: number; outcome: Outcome<unknown> }
  | { kind: "told"; callId: number; told: Told }
  | { kind: "event"; event: AppEvent };

/** The token travels as a subprotocol: that way it is in no log of requests. */
export const SUBPROTOCOL = "dipper.";
