// One job: how it goes or went, what failed, its log, and what can be done with it.
import { Alert, Badge, Button, Checkbox, Group, Modal, Paper, Progress, Stack, Text, Title } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { AudioLines, FolderOpen, RotateCcw, Trash2, X } from "lucide-react";
import { useState } from "react";
import type { Job } from "../../../generated/contract.js";
import { call, command } from "../../api/client.js";
import { useEnvironmentChoice, useSurroundings } from "../../api/start.js";
import { isActive } from "../../api/use-jobs.js";
import { ErrorNotice } from "../../components/error-notice.js";
import { formatBytes } from "../../formats.js";
import { go } from "../../routing.js";
import { JobFailures } from "./job-failures.js";
import { JobLog } from "./job-log.js";
import { doneSentence, elapsed, formatMoment, isResumable, progressSentence, STATE } from "./job-words.js";

interface Properties {
  job: Job;
  onChange: () => void;
}

export function JobDetails({ job, onChange }: Properties) {
  const { label, color } = STATE[job.state];
  const took = elapsed(job, Date.now());
  return (
    <Stack gap="md">
      <div>
        <Group gap="sm">
          <Title order={2} size="h3" className="path">{job.name}</Title>
          <Badge color={color} variant="light" data-state={job.state}>{label}</Badge>
        </Group>
        <Text className="quiet" size="sm">{job.model} · begun {formatMoment(job.startedAt ?? job.createdAt)}{took && ` · ${took}`}</Text>
      </div>
      <JobActions job={job} onChange={onChange} />
      {isActive(job) && <LiveProgress job={job} />}
      {job.message !== null && <Alert color={color === "red" ? "red" : "yellow"} variant="light" className="path">{job.message}</Alert>}
      <Paper withBorder p="md">
        <Text>{doneSentence(job)}</Text>
        <Text size="sm" className="quiet path">{job.jobFolder}</Text>
      </Paper>
      {job.state !== "queued" && <JobFailures job={job} />}
      <JobLog job={job} />
    </Stack>
  );
}

function LiveProgress({ job }: { job: Job }) {
  const percentage = job.progress?.percentage ?? 0;
  return (
    <div role="status" aria-live="off">
      <Progress value={percentage} size="lg" animated={job.state !== "queued"} aria-label="Progress" />
      <Text size="sm" mt={6}>{progressSentence(job)}</Text>
    </div>
  );
}

function JobActions({ job, onChange }: Properties) {
  const { description } = useSurroundings();
  const environment = useEnvironmentChoice();
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState<string | null>(null);
  const [isRemoving, setRemoving] = useState(false);
  const act = async (name: string, work: () => Promise<unknown>) => {
    setBusy(name);
    setError(null);
    try {
      await work();
    } catch (problem) {
      setError(problem);
    }
    setBusy(null);
    onChange();
  };
  const reveal = async () => {
    if (description.host === "electron") await command("files/reveal", { path: job.jobFolder });
    else {
      await navigator.clipboard.writeText(job.jobFolder);
      notifications.show({ message: "The folder's path was copied." });
    }
  };
  return (
    <>
      <Group gap="xs">
        {isActive(job) && <Button color="red" variant="light" size="xs" leftSection={<X size={15} />} loading={busy === "cancel"} onClick={() => void act("cancel", () => call("jobs/cancel", { jobId: job.jobId }))}>Cancel</Button>}
        {isResumable(job) && <Button size="xs" leftSection={<RotateCcw size={15} />} loading={busy === "resume"} onClick={() => void act("resume", () => call("jobs/resume", { jobId: job.jobId, environment, wait: false }))}>Resume</Button>}
        {job.clips > 0 && <Button size="xs" variant={job.state === "completed" ? "filled" : "default"} leftSection={<AudioLines size={15} />} onClick={() => go("explore", { path: job.jobFolder })}>Explore</Button>}
        <Button size="xs" variant="default" leftSection={<FolderOpen size={15} />} onClick={() => void act("reveal", reveal)}>{description.host === "electron" ? "Open folder" : "Copy folder's path"}</Button>
        {!isActive(job) && <Button size="xs" variant="subtle" color="red" leftSection={<Trash2 size={15} />} onClick={() => setRemoving(true)}>Remove…</Button>}
      </Group>
      <ErrorNotice error={error} />
      {isRemoving && <RemoveJob job={job} onClose={() => setRemoving(false)} onRemoved={onChange} />}
    </>
  );
}

function RemoveJob({ job, onClose, onRemoved }: { job: Job; onClose: () => void; onRemoved: () => void }) {
  const [deleteFiles, setDeleteFiles] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const remove = async () => {
    try {
      const { freedBytes } = await call("jobs/remove", { jobId: job.jobId, deleteFiles });
      if (deleteFiles) notifications.show({ message: `${formatBytes(freedBytes)} were freed.` });
      onRemoved();
      onClose();
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Modal opened onClose={onClose} title={`Remove ${job.name} from the list?`} closeButtonProps={{ "aria-label": "Close" }}>
      <Stack>
        <Checkbox label="Delete its folder with all scores too" checked={deleteFiles} onChange={(event) => setDeleteFiles(event.currentTarget.checked)} />
        <ErrorNotice error={error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>Keep it</Button>
          <Button color="red" onClick={() => void remove()}>{deleteFiles ? "Remove and delete" : "Remove"}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
