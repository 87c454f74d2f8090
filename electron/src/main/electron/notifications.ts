// What is told and done about jobs outside the window: a notification at the end, no sleep meanwhile.
import { Notification, powerSaveBlocker } from "electron";
import type { Job } from "../../generated/contract.js";

export function notifyEnd(job: Job, open: () => void): void {
  if (!Notification.isSupported()) return;
  const notification = new Notification({ title: "Dipper", body: `The job "${job.name}" has ended: ${job.state}.` });
  notification.on("click", open);
  notification.show();
}

/** Keeps the machine from sleeping; the screen may. */
export class SleepBlocker {
  private id: number | null = null;

  set(isBlocking: boolean): void {
    if (isBlocking === (this.id !== null)) return;
    if (this.id !== null) powerSaveBlocker.stop(this.id);
    this.id = isBlocking ? powerSaveBlocker.start("prevent-app-suspension") : null;
  }
}
