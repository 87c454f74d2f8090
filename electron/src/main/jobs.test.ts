import { expect, it, vi } from "vitest";
import type { Job } from "../generated/contract.js";
import { decideClosing } from "./closing.js";
import type { ClosingParts } from "./closing.js";
import { JobsWatch } from "./jobs-watch.js";

const job = (jobId: string, state: Job["state"]) => ({ jobId, state, name: `job ${jobId}` }) as Job;

function watchOf(...lists: ReadonlyArray<Job>[]) {
  const changed = vi.fn();
  const ended = vi.fn();
  const call = () => Promise.resolve({ ok: true, result: { jobs: lists.shift() ?? [] } });
  return { watch: new JobsWatch({ call: call as never }, { changed, ended }), changed, ended };
}

it("tells when the first job begins, each that ends, and when none is left", async () => {
  const { watch, changed, ended } = watchOf(
    [job("a", "queued")],
    [job("a", "running"), job("b", "queued")],
    [job("a", "completed"), job("b", "running")],
    [job("a", "completed"), job("b", "failed")],
  );
  await watch.look();
  await watch.look();
  expect(changed).toHaveBeenCalledTimes(1);
  await watch.look();
  expect(ended).toHaveBeenLastCalledWith(job("a", "completed"));
  await watch.look();
  watch.close();
  expect(ended).toHaveBeenLastCalledWith(job("b", "failed"));
  expect(changed).toHaveBeenLastCalledWith([]);
  expect(changed).toHaveBeenCalledTimes(2);
});

it("keeps what it knew while the sidecar is gone", async () => {
  const outcomes = [{ ok: true, result: { jobs: [job("a", "running")] } }, { ok: false, error: { code: 2002, message: "" } }];
  const ended = vi.fn();
  const watch = new JobsWatch({ call: (() => Promise.resolve(outcomes.shift())) as never }, { changed: vi.fn(), ended });
  await watch.look();
  await watch.look();
  watch.close();
  expect(watch.active).toHaveLength(1);
  expect(ended).not.toHaveBeenCalled();
});

function closing(parts: Partial<ClosingParts>) {
  const cancelJob = vi.fn(() => Promise.resolve());
  const ask = vi.fn(() => Promise.resolve("stay" as const));
  return { cancelJob, ask, decided: decideClosing({ active: [job("a", "running"), job("b", "queued")], onClose: "ask", ask, cancelJob, ...parts }) };
}

it("closes without a question when nothing runs", async () => {
  const { decided, ask } = closing({ active: [] });
  expect(await decided).toBe("quit");
  expect(ask).not.toHaveBeenCalled();
});

it("asks, naming what runs, and can stay", async () => {
  const { decided, ask } = closing({});
  expect(await decided).toBe("stay");
  expect(ask).toHaveBeenCalledWith("2 jobs are still running.", expect.anything());
});

it.each([
  ["tray", "hide", 0],
  ["pause", "quit", 0],
  ["cancel", "quit", 2],
] as const)("does as the settings say: %s", async (onClose, expected, cancelled) => {
  const { decided, ask, cancelJob } = closing({ onClose });
  expect(await decided).toBe(expected);
  expect(cancelJob).toHaveBeenCalledTimes(cancelled);
  expect(ask).not.toHaveBeenCalled();
});
