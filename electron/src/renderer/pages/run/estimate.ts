// How long a run may take, from what earlier jobs with the same model took. Nothing is guessed.
import type { Job } from "../../../generated/contract.js";

export type Estimate = { kind: "known"; seconds: number; jobs: number } | { kind: "unknown"; reason: string };

type Done = Pick<Job, "model" | "state" | "startedAt" | "endedAt" | "clips">;

export interface Work {
  /** As jobs name it. */
  model: string | null;
  seconds: number;
  files: number;
  /** null where the model does not say. */
  clipSeconds: number | null;
  overlapSeconds: number;
}

/** Clips of one length over all sound; a recording's last clip is counted once per file. */
export function clipCount({ seconds, files, clipSeconds, overlapSeconds }: Work): number | null {
  if (clipSeconds === null || clipSeconds <= 0) return null;
  const step = clipSeconds - overlapSeconds;
  return step <= 0 ? null : Math.max(files, Math.round(seconds / step));
}

export function estimate(work: Work, jobs: ReadonlyArray<Done>): Estimate {
  const alike = jobs.filter((job) => job.model === work.model && job.state === "completed" && job.clips > 0 && wallSeconds(job) > 0);
  if (alike.length === 0) return { kind: "unknown", reason: "Unknown until the first run with this model." };
  const clips = clipCount(work);
  if (clips === null) return { kind: "unknown", reason: "Unknown: the model's clip length is not known yet." };
  const done = alike.reduce((sum, job) => sum + job.clips, 0);
  const spent = alike.reduce((sum, job) => sum + wallSeconds(job), 0);
  return { kind: "known", seconds: (clips * spent) / done, jobs: alike.length };
}

function wallSeconds({ startedAt, endedAt }: Done): number {
  return startedAt === null || endedAt === null ? 0 : (Date.parse(endedAt) - Date.parse(startedAt)) / 1000;
}
