import { expect, test } from "vitest";
import type { Job } from "../../../generated/contract.js";
import { doneSentence, elapsed, isResumable, progressSentence, STATE } from "./job-words.js";

const JOB: Job = {
  jobId: "a", jobFolder: "/jobs/a", name: "Owls", state: "running", model: "BirdNET", createdAt: "2026-05-01T00:00:00Z",
  startedAt: "2026-05-01T00:00:00Z", endedAt: null, filesTotal: 1200, filesDone: 900, filesFailed: 0, filesSkipped: 100,
  clips: 20_000, progress: null, message: null,
};

test("recordings that an earlier run has scored count as done", () => {
  expect(doneSentence(JOB)).toBe("1,000 of 1,200 recordings, 20,000 clips");
});

test("failures are told only where there are some", () => {
  expect(doneSentence({ ...JOB, filesFailed: 2 })).toBe("1,000 of 1,200 recordings, 2 failed, 20,000 clips");
});

test("a job that ended took what lies between; one under way takes up to now; one that never began takes nothing", () => {
  const now = Date.parse("2026-05-01T02:00:00Z");
  expect(elapsed({ startedAt: JOB.startedAt, endedAt: "2026-05-01T00:01:05Z" }, now)).toBe("1 min 05 s");
  expect(elapsed(JOB, now)).toBe("2 h 00 min");
  expect(elapsed({ startedAt: null, endedAt: null }, now)).toBeNull();
});

test("a clock that was set back does not make a run shorter than nothing", () => {
  expect(elapsed(JOB, Date.parse("2026-04-30T23:00:00Z"))).toBe("0.0 s");
});

test("exactly the jobs that have stopped early can be resumed", () => {
  const states = Object.keys(STATE) as Array<Job["state"]>;
  expect(states.filter((state) => isResumable({ state })).sort()).toEqual(["cancelled", "failed", "interrupted", "paused"]);
});

test("what runs tells how far it is and how long it still takes, once", () => {
  const progress = { percentage: 41.6, message: "Scoring", etaSeconds: 185 };
  expect(progressSentence({ state: "running", progress })).toBe("42 % · Scoring · about 3 min 05 s left");
  expect(progressSentence({ state: "running", progress: { ...progress, message: "3 min left" } })).toBe("42 % · 3 min left");
  expect(progressSentence({ state: "preparing", progress: null })).toBe("0 % · Preparing");
});

test("what waits says for what", () => {
  expect(progressSentence({ state: "queued", progress: null })).toContain("jobs before it");
});
