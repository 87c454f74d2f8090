// All jobs, as they stand: looked at often while one is under way.
import { useQuery } from "@tanstack/react-query";
import type { Job } from "../../generated/contract.js";
import { call } from "./client.js";
import { useSurroundings } from "./start.js";

const ACTIVE: ReadonlySet<Job["state"]> = new Set(["queued", "preparing", "running"]);
const BUSY_MS = 700;
const IDLE_MS = 8_000;

export function isActive(job: Pick<Job, "state">): boolean {
  return ACTIVE.has(job.state);
}

export function useJobs() {
  const { sidecar } = useSurroundings();
  return useQuery({
    queryKey: ["jobs", "all"],
    queryFn: ({ signal }) => call("jobs/list", { limit: 1000 }, { signal }),
    enabled: sidecar.kind === "ready",
    refetchInterval: (query) => (query.state.data?.jobs.some(isActive) ? BUSY_MS : IDLE_MS),
    select: ({ jobs }) => jobs,
  });
}
