// @vitest-environment jsdom
import { beforeEach, expect, test, vi } from "vitest";
import type { DipperApi, Outcome, Told } from "../../../shared/api.js";
import { setupRun } from "./setup-run.js";

let tell: (callId: number, told: Told) => void = () => undefined;
let answer: (outcome: Outcome<never>) => void = () => undefined;
let callId = 0;
const cancel = vi.fn();

// The subscription is made once for all calls; so is this stand-in.
const api: Partial<DipperApi> = {
  call: (id) => {
    callId = id;
    return new Promise((settle) => { answer = settle as typeof answer; });
  },
  cancel,
  onProgress: (listener) => {
    tell = listener;
    return () => undefined;
  },
};
Object.defineProperty(window, "dipper", { value: api });

beforeEach(() => cancel.mockClear());

test("progress is kept, and a message stays where the next progress has none", async () => {
  const done = setupRun.start({});
  expect(setupRun.state).toMatchObject({ isRunning: true, error: null });
  tell(callId, { kind: "progress", progress: { percentage: 10, message: "Unpacking" } as never });
  tell(callId, { kind: "progress", progress: { percentage: 20 } as never });
  expect(setupRun.state.progress).toMatchObject({ percentage: 20, message: "Unpacking" });
  answer({ ok: true, result: { status: "ready" } as never });
  expect(await done).toMatchObject({ status: "ready" });
  expect(setupRun.state).toEqual({ isRunning: false, progress: null, error: null });
});

test("cancelling asks the sidecar, and is no error", async () => {
  const done = setupRun.start({});
  setupRun.cancel();
  expect(cancel).toHaveBeenCalledWith(callId);
  answer({ ok: false, error: { code: -32800, message: "Cancelled" } as never });
  expect(await done).toBeNull();
  expect(setupRun.state).toEqual({ isRunning: false, progress: null, error: null });
});

test("a failure is kept for the page that comes back, until the next start", async () => {
  const done = setupRun.start({});
  answer({ ok: false, error: { code: 1201, message: "No room on the disk" } as never });
  expect(await done).toBeNull();
  expect(setupRun.state.error).toMatchObject({ message: "No room on the disk" });
  void setupRun.start({});
  expect(setupRun.state).toMatchObject({ isRunning: true, error: null });
});
