// Jobs: what runs, what waits, what has become of the others.
import { Button } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ListChecks, Plus } from "lucide-react";
import { useEffect, useRef } from "react";
import type { KeyboardEvent } from "react";
import type { Job } from "../../../generated/contract.js";
import { useJobs } from "../../api/use-jobs.js";
import { EmptyState } from "../../components/empty-state.js";
import { ErrorNotice } from "../../components/error-notice.js";
import { PageTitle } from "../../components/page-title.js";
import { Waiting } from "../../components/waiting.js";
import { go, useRoute } from "../../routing.js";
import { JobDetails } from "./job-details.js";
import { JobRow } from "./job-row.js";
import "./jobs.css";

const ROW_PIXELS = 84;

export default function JobsPage() {
  const { data: jobs, error, isPending, refetch } = useJobs();
  const named = useRoute()?.params.get("job");
  const chosen = jobs?.find((job) => job.jobId === named) ?? jobs?.[0];
  const newRun = <Button component="a" href="#/run" leftSection={<Plus size={16} />}>New run</Button>;
  const changed = () => void refetch();
  return (
    <div className="page full jobs">
      <div className="jobs-list">
        <PageTitle title="Jobs">{newRun}</PageTitle>
        <ErrorNotice error={error} title="The jobs could not be listed" retry={changed} />
        {isPending && <Waiting text="Listing the jobs" />}
        {jobs?.length === 0 && <EmptyState Icon={ListChecks} title="No jobs yet">Begin with a new run: choose recordings and a model.</EmptyState>}
        {jobs && jobs.length > 0 && <JobList jobs={jobs} chosen={chosen} />}
      </div>
      <section className="jobs-details" aria-label="The chosen job">{chosen && <JobDetails key={chosen.jobId} job={chosen} onChange={changed} />}</section>
    </div>
  );
}

function JobList({ jobs, chosen }: { jobs: ReadonlyArray<Job>; chosen: Job | undefined }) {
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({ count: jobs.length, getScrollElement: () => scroller.current, estimateSize: () => ROW_PIXELS, overscan: 6 });
  const place = jobs.findIndex((job) => job.jobId === chosen?.jobId);
  useEffect(() => {
    if (place >= 0) rows.scrollToIndex(place, { align: "auto" });
  }, [place, rows]);
  const choose = (job: Job) => go("jobs", { job: job.jobId }, { replace: true });
  const move = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const next = step && jobs[Math.min(jobs.length - 1, Math.max(0, place + step))];
    if (!next) return;
    event.preventDefault();
    choose(next);
  };
  return (
    <div ref={scroller} className="jobs-scroller" role="listbox" aria-label="Jobs" tabIndex={0} onKeyDown={move}>
      <div style={{ height: rows.getTotalSize(), position: "relative" }}>
        {rows.getVirtualItems().map(({ index, start }) => {
          const job = jobs[index];
          return job && (
            <div key={job.jobId} role="option" aria-selected={index === place} className="job-row" style={{ transform: `translateY(${start}px)`, height: ROW_PIXELS - 6 }} onClick={() => choose(job)}>
              <JobRow job={job} />
            </div>
          );
        })}
      </div>
    </div>
  );
}
