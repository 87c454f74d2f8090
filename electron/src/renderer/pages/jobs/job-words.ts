// A job in words: its state, its progress, what it has done.
import type { Job } from "../../../generated/contract.js";
import { formatCount, formatDuration } from "../../formats.js";

export const STATE: Record<Job["state"], { label: string; color: string }> = {
  queued: { label: "Waiting", color: "gray" },
  preparing: { label: "Preparing", color: "blue" },
  running: { label: "Running", color: "blue" },
  completed: { label: "Completed", color: "teal" },
  cancelled: { label: "Cancelled", color: "gray" },
  paused: { label: "Paused", color: "yellow" },
  interrupted: { label: "Interrupted", color: "yellow" },
  failed: { label: "Failed", color: "red" },
};

export function isResumable(job: Pick<Job, "state">): boolean {
  return ["cancelled", "paused", "interrupted", "failed"].includes(job.state);
}

/** "3 of 10 recordings, 1 failed, 120 clips". */
export function doneSentence(job: Job): string {
  const done = job.filesDone + job.filesSkipped;
  const parts = [`${formatCount(done)} of ${formatCount(job.filesTotal)} recordings`];
  if (job.filesFailed > 0) parts.push(`${formatCount(job.filesFailed)} failed`);
  parts.push(`${formatCount(job.clips)} clips`);
  return parts.join(", ");
}

/** "42 % · 120 of 300 files · about 3 min 05 s left" of a job that waits or runs. */
export function progressSentence({ state, progress }: Pick<Job, "state" | "progress">): string {
  if (state === "queued") return "It begins when the jobs before it have ended.";
  const parts = [`${Math.round(progress?.percentage ?? 0)} %`, progress?.message ?? "Preparing"];
  const eta = progress?.etaSeconds ?? null;
  if (eta !== null && !parts.join().includes(" left")) parts.push(`about ${formatDuration(eta)} left`);
  return parts.join(" · ");
}

/** How long a run took, or takes so far; null where it never began. */
export function elapsed(job: Pick<Job, "startedAt" | "endedAt">, now: number): string | null {
  if (job.startedAt === null) return null;
  const end = job.endedAt === null ? now : Date.parse(job.endedAt);
  return formatDuration(Math.max(0, (end - Date.parse(job.startedAt)) / 1000));
}

/** A moment of ISO 8601 as people of this place write it. */
export function formatMoment(moment: string | null): string {
  return moment === null ? "–" : new Date(moment).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}
