// The end of a job's log; it follows while the job runs.
import { Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { call } from "../../api/client.js";
import { isActive } from "../../api/use-jobs.js";
import type { Job } from "../../../generated/contract.js";

const LINES = 300;
const FOLLOW_MS = 1_500;

export function JobLog({ job }: { job: Job }) {
  const { data } = useQuery({
    queryKey: ["log", job.jobId, job.state],
    queryFn: ({ signal }) => call("jobs/log", { jobId: job.jobId, tail: LINES }, { signal }),
    refetchInterval: isActive(job) ? FOLLOW_MS : false,
  });
  const box = useRef<HTMLPreElement>(null);
  useEffect(() => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [data]);
  if (!data || data.lines.length === 0) return null;
  return (
    <section>
      <Title order={3} size="h5" mb="xs">Log</Title>
      <pre ref={box} className="log" tabIndex={0} aria-label="Log">{data.lines.join("\n")}</pre>
    </section>
  );
}
