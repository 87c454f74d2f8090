import { Badge, Group, Progress, Text } from "@mantine/core";
import type { Job } from "../../../generated/contract.js";
import { isActive } from "../../api/use-jobs.js";
import { doneSentence, formatMoment, STATE } from "./job-words.js";

/** A job in the list: name, state, how far it is. */
export function JobRow({ job }: { job: Job }) {
  const { label, color } = STATE[job.state];
  return (
    <>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <Text fw={600} size="sm" truncate title={job.name}>{job.name}</Text>
        <Badge color={color} variant="light" size="sm" style={{ flex: "none" }}>{label}</Badge>
      </Group>
      <Text size="xs" className="quiet" truncate>{job.model} · {formatMoment(job.createdAt)}</Text>
      {isActive(job) ? <Progress value={job.progress?.percentage ?? 0} size="sm" mt={8} aria-label={`Progress of ${job.name}`} /> : <Text size="xs" className="quiet" truncate>{doneSentence(job)}</Text>}
    </>
  );
}
