// Whether jobs are under way, and when one has ended: for the tray, the machine's sleep, and notifications.
import type { Job, JobList } from "../generated/contract.js";
import type { SidecarClient } from "./sidecar-client.js";

const ACTIVE: ReadonlySet<Job["state"]> = new Set(["queued", "preparing", "running"]);
const BUSY_MS = 1_500;
const IDLE_MS = 10_000;

export interface JobsListener {
  /** Told when the first job begins and after the last has ended. */
  changed(active: ReadonlyArray<Job>): void;
  ended(job: Job): void;
}

export class JobsWatch {
  active: ReadonlyArray<Job> = [];
  private timer: NodeJS.Timeout | null = null;
  private isClosed = false;

  constructor(
    private readonly client: Pick<SidecarClient, "call">,
    private readonly listener: JobsListener,
  ) {}

  /** Look now, and from then on every now and then. */
  async look(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    const outcome = await this.client.call("jobs/list", { limit: 100 });
    if (outcome.ok) this.compare(outcome.result);
    if (this.isClosed) return;
    this.timer = setTimeout(() => void this.look(), this.active.length > 0 ? BUSY_MS : IDLE_MS);
    this.timer.unref();
  }

  close(): void {
    this.isClosed = true;
    if (this.timer) clearTimeout(this.timer);
  }

  private compare({ jobs }: JobList): void {
    const before = this.active;
    this.active = jobs.filter((job) => ACTIVE.has(job.state));
    const running = new Set(this.active.map((job) => job.jobId));
    const gone = new Set(before.map((job) => job.jobId).filter((jobId) => !running.has(jobId)));
    for (const job of jobs) if (gone.has(job.jobId)) this.listener.ended(job);
    if (before.length > 0 !== this.active.length > 0) this.listener.changed(this.active);
  }
}
