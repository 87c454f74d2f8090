// What happens to running jobs when the window is closed.
import type { Job } from "../generated/contract.js";
import type { Settings } from "../shared/api.js";

export type ClosingChoice = "tray" | "pause" | "cancel" | "stay";

export interface ClosingParts {
  active: ReadonlyArray<Job>;
  onClose: Settings["onClose"];
  ask: (question: string, active: ReadonlyArray<Job>) => Promise<ClosingChoice>;
  cancelJob: (jobId: string) => Promise<void>;
}

/**
 * "hide": the window goes, the app stays in the tray; "quit": the app ends. A job that is under way then is paused by
 * the sidecar's end and can be resumed; "cancel" says so to each of them before.
 */
export async function decideClosing(parts: ClosingParts): Promise<"hide" | "quit" | "stay"> {
  if (parts.active.length === 0) return "quit";
  const choice = parts.onClose === "ask" ? await parts.ask(questionFor(parts.active), parts.active) : parts.onClose;
  if (choice === "stay") return "stay";
  if (choice === "tray") return "hide";
  if (choice === "cancel") await Promise.all(parts.active.map((job) => parts.cancelJob(job.jobId)));
  return "quit";
}

function questionFor(active: ReadonlyArray<Job>): string {
  const [first] = active;
  return active.length === 1 && first ? `The job "${first.name}" is still running.` : `${active.length} jobs are still running.`;
}
