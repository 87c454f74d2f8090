// The recordings of a job that could not be scored, and why.
import { Paper, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { call } from "../../api/client.js";
import type { Job } from "../../../generated/contract.js";
import { ErrorNotice } from "../../components/error-notice.js";
import { fileName, formatCount } from "../../formats.js";

const SHOWN = 200;

export function JobFailures({ job }: { job: Job }) {
  const { data, error } = useQuery({
    queryKey: ["failures", job.jobId, job.filesFailed, job.state],
    queryFn: ({ signal }) => call("jobs/failures", { jobId: job.jobId, limit: SHOWN }, { signal }),
  });
  if (error) return <ErrorNotice error={error} title="What failed cannot be told" />;
  if (!data || data.total === 0) return null;
  return (
    <section>
      <Title order={3} size="h5" mb="xs">Not scored, or only in part: {formatCount(data.total)}</Title>
      <Paper withBorder p="sm" className="failures">
        {data.failures.map((failure) => (
          <div key={failure.path} className="failure">
            <Text size="sm" fw={600} className="path" title={failure.path}>{fileName(failure.path)}</Text>
            <Text size="sm" className="quiet path">{failure.message}</Text>
          </div>
        ))}
        {data.total > data.failures.length && <Text size="sm" className="quiet">The others are in failures.csv in the job's folder.</Text>}
      </Paper>
    </section>
  );
}
