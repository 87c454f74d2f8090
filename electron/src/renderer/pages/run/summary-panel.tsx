// What will happen: how much there is, how long it may take, what is still wrong; and the button that starts it.
import { Alert, Button, Checkbox, Divider, Paper, Stack, Text, Title } from "@mantine/core";
import { Play } from "lucide-react";
import { useState } from "react";
import type { Config } from "../../../generated/contract.js";
import { call } from "../../api/client.js";
import { useEnvironmentChoice, useSurroundings } from "../../api/start.js";
import { useJobs } from "../../api/use-jobs.js";
import { ErrorNotice } from "../../components/error-notice.js";
import { fileName, formatBytes, formatCount, formatDuration } from "../../formats.js";
import { go } from "../../routing.js";
import { configOf, fieldsOf, parse } from "./draft.js";
import { costPerSecond } from "./estimate.js";
import { useModels } from "./model-section.js";
import { scans, useScans } from "./scans.js";
import type { DraftState } from "./use-draft.js";

const NEEDS_TRUST: ReadonlySet<string> = new Set(["python", "checkpoint"]);

export function SummaryPanel({ state }: { state: DraftState }) {
  const { draft, problems, validation } = state;
  const { addRecent } = useSurroundings();
  const environment = useEnvironmentChoice();
  const [isTrusted, setTrusted] = useState(false);
  const [isStarting, setStarting] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const needsTrust = NEEDS_TRUST.has(draft.source);
  const isReady = Object.keys(problems).length === 0 && validation?.valid === true && (draft.source !== "python" || isTrusted);
  const start = async () => {
    setStarting(true);
    setError(null);
    try {
      const config = configOf(draft) as unknown as Config;
      const report = await call("inference/run", { config, environment, trust: needsTrust && isTrusted, wait: false });
      await addRecent("outputs", config.output.folder);
      go("jobs", { job: report.jobId });
    } catch (problem) {
      setError(problem);
    }
    setStarting(false);
  };
  return (
    <Paper withBorder p="lg" component="section" aria-label="Summary" className="summary">
      <Title order={2} size="h4" mb="sm">This run</Title>
      <Estimate state={state} />
      {needsTrust && (
        <Checkbox mt="md" checked={isTrusted} onChange={(event) => setTrusted(event.currentTarget.checked)} label="I trust this model file" description={draft.source === "python" ? "Its code is run." : "Only where the file carries code that has to be run."} />
      )}
      <ProblemList state={state} />
      <ErrorNotice error={error ?? state.error} title={error ? "The run was not started" : "The settings could not be checked"} />
      <Button fullWidth size="md" mt="md" leftSection={<Play size={17} />} disabled={!isReady} loading={isStarting} onClick={() => void start()}>Start</Button>
    </Paper>
  );
}

function Estimate({ state: { draft, validation } }: { state: DraftState }) {
  useScans();
  const jobs = useJobs();
  const models = useModels();
  const totals = draft.folders.map((folder) => scans.of(folder)?.totals).filter((total) => total !== undefined);
  const seconds = totals.reduce((sum, total) => sum + total.seconds, 0);
  const count = totals.reduce((sum, total) => sum + total.count, 0) + draft.files.length;
  const model = models.data?.find(({ source, name }) => source === draft.source && (source !== "zoo" || name === draft.zooName));
  const cost = costPerSecond(jobs.data ?? [], jobModelName(draft.source, draft.zooName, draft.texts), clipSecondsOf(draft) ?? model?.clipSeconds ?? null);
  return (
    <Stack gap={4}>
      <Line name="Recordings" value={count > 0 ? formatCount(count) : "none yet"} />
      <Line name="Sound" value={seconds > 0 ? formatDuration(seconds) : "–"} />
      <Line name="Time" value={cost !== null && seconds > 0 ? `about ${formatDuration(cost * seconds)}` : "told after the first run"} />
      <Divider my={4} />
      <Line name="Disk needed" value={validation?.neededBytes != null ? `from ${formatBytes(validation.neededBytes)}` : "–"} />
      <Line name="Disk free" value={validation?.freeBytes != null ? formatBytes(validation.freeBytes) : "–"} />
    </Stack>
  );
}

function Line({ name, value }: { name: string; value: string }) {
  return <div className="summary-line"><Text size="sm" className="quiet">{name}</Text><Text size="sm" fw={600}>{value}</Text></div>;
}

function ProblemList({ state: { draft, problems, validation } }: { state: DraftState }) {
  const labels = new Map(fieldsOf(draft).map(({ place, label }) => [place, label]));
  const shown = Object.entries(problems).map(([place, message]) => (labels.has(place) ? `${labels.get(place)}: ${message}` : message));
  const warnings = validation?.warnings ?? [];
  return (
    <Stack gap="xs" mt="md">
      {shown.length > 0 && <Alert color="blue" variant="light" title="Before it can start" py="xs"><ul className="problem-items">{shown.map((text) => <li key={text}>{text}</li>)}</ul></Alert>}
      {warnings.length > 0 && <Alert color="yellow" variant="light" py="xs">{warnings.map((text) => <Text key={text} size="sm">{text}</Text>)}</Alert>}
    </Stack>
  );
}

/** A job's model as its list names it. */
function jobModelName(source: string, zooName: string, texts: Readonly<Record<string, string>>): string {
  const [className, path] = [texts[`${source} model.className`] ?? "", fileName(texts[`${source} model.path`] ?? "")];
  if (source === "zoo") return zooName;
  if (source === "checkpoint" || source === "onnx") return path;
  return source === "python" ? `${className} of ${path}` : `${source.toUpperCase()}: ${className}`;
}

function clipSecondsOf({ source, texts }: DraftState["draft"]): number | null {
  const typed = parse(texts[`${source} model.clipSeconds`] ?? texts[`${source} model.windowLen`] ?? "", "number");
  return typeof typed === "number" ? typed : null;
}
