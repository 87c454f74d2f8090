// How long a run may take, from what runs of the same model took on this computer.
import type { Job } from "../../../generated/contract.js";

/** Seconds of wall time per second of sound (overlaps counted twice), of completed jobs of this model; null where there is none to learn from. */
export function costPerSecond(jobs: ReadonlyArray<Job>, model: string, clipSeconds: number | null): number | null {
  if (clipSeconds === null) return null;
  const costs = jobs.flatMap((job) => {
    if (job.state !== "completed" || job.model !== model || job.clips === 0 || !job.startedAt || !job.endedAt) return [];
    return [(Date.parse(job.endedAt) - Date.parse(job.startedAt)) / 1000 / (job.clips * clipSeconds)];
  });
  const sorted = costs.sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}
