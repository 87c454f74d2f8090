// Which model: one of the zoo, a file of the user's, or a detector; why one cannot be used here.
import { Alert, Anchor, Badge, Button, Group, Paper, Progress, SegmentedControl, Stack, Text, TextInput, UnstyledButton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Search } from "lucide-react";
import { useState } from "react";
import type { ModelEntry, Progress as Told } from "../../../generated/contract.js";
import { call } from "../../api/client.js";
import { useEnvironmentChoice } from "../../api/start.js";
import { ErrorNotice } from "../../components/error-notice.js";
import { Waiting } from "../../components/waiting.js";
import { formatCount, formatDuration } from "../../formats.js";
import { textOf, withText } from "./draft.js";
import type { Draft } from "./draft.js";
import { FieldInput } from "./field-input.js";
import { MODEL_FIELDS } from "./fields.js";
import type { Source } from "./fields.js";
import type { Problems } from "./problems.js";

const SOURCES: ReadonlyArray<{ value: Source; label: string }> = [
  { value: "zoo", label: "Model zoo" },
  { value: "checkpoint", label: "Model file" },
  { value: "onnx", label: "ONNX" },
  { value: "python", label: "Python" },
  { value: "ribbit", label: "RIBBIT" },
  { value: "cwt", label: "CWT" },
];

interface Properties {
  draft: Draft;
  problems: Problems;
  onChange: (draft: Draft) => void;
}

export function useModels() {
  const environment = useEnvironmentChoice();
  return useQuery({ queryKey: ["models", environment], queryFn: ({ signal }) => call("models/list", { environment }, { signal }), select: ({ models }) => models, staleTime: 60_000 });
}

export function ModelSection({ draft, problems, onChange }: Properties) {
  const models = useModels();
  const entry = models.data?.find((model) => model.source === draft.source && draft.source !== "zoo");
  return (
    <Stack gap="sm">
      <ErrorNotice error={models.error} title="The models cannot be listed" retry={() => void models.refetch()}>
        <Button size="xs" component="a" href="#/environment">Environment</Button>
      </ErrorNotice>
      <SegmentedControl aria-label="Kind of model" fullWidth data={[...SOURCES]} value={draft.source} onChange={(source) => onChange({ ...draft, source: source as Source })} />
      {draft.source === "zoo" && models.isPending && <Waiting text="Asking the environment for its models" />}
      {draft.source === "zoo" && models.data && <ZooList models={models.data.filter(({ source }) => source === "zoo")} chosen={draft.zooName} onChoose={(zooName) => onChange({ ...draft, zooName })} />}
      {entry && <ModelFacts model={entry} />}
      {draft.source === "python" && <Alert color="yellow" variant="light">The file's code is run as it is. Use only files that you trust.</Alert>}
      <div className="field-grid">
        {MODEL_FIELDS[draft.source].map((field) => (
          <FieldInput key={`${draft.source} ${field.place}`} field={field} text={textOf(draft, field)} problem={problems[field.place]} onChange={(text) => onChange(withText(draft, field, text))} />
        ))}
      </div>
    </Stack>
  );
}

function ZooList({ models, chosen, onChoose }: { models: ReadonlyArray<ModelEntry>; chosen: string; onChoose: (name: string) => void }) {
  const [text, setText] = useState("");
  const wanted = text.trim().toLowerCase();
  const shown = models.filter((model) => `${model.name} ${model.title ?? ""} ${model.description}`.toLowerCase().includes(wanted)).sort((a, b) => Number(b.available) - Number(a.available));
  return (
    <Stack gap="xs">
      <TextInput aria-label="Search models" placeholder="Search models" leftSection={<Search size={15} />} value={text} onChange={(event) => setText(event.currentTarget.value)} />
      <Paper withBorder className="model-list" role="radiogroup" aria-label="Models of the zoo" tabIndex={0}>
        {shown.map((model) => <ZooModel key={model.name} model={model} isChosen={model.name === chosen} onChoose={() => onChoose(model.name)} />)}
        {shown.length === 0 && <Text size="sm" className="quiet" p="sm">No model fits “{text}”.</Text>}
      </Paper>
    </Stack>
  );
}

function ZooModel({ model, isChosen, onChoose }: { model: ModelEntry; isChosen: boolean; onChoose: () => void }) {
  return (
    <div className="model" data-chosen={isChosen}>
      <UnstyledButton role="radio" aria-checked={isChosen} aria-disabled={!model.available} className="model-button" onClick={() => model.available && onChoose()}>
        <Group justify="space-between" wrap="nowrap">
          <Text fw={600} size="sm">{model.title ?? model.name}</Text>
          <Badge variant="light" color={model.available ? "teal" : "gray"} style={{ flex: "none" }}>{model.available ? (model.weightsCached === false ? "To be fetched" : "Ready") : "Not available"}</Badge>
        </Group>
        <ModelFacts model={model} />
      </UnstyledButton>
      {isChosen && model.weightsCached === false && <FetchWeights name={model.name} />}
    </div>
  );
}

function ModelFacts({ model }: { model: ModelEntry }) {
  const facts = [
    model.classCount === null ? null : `${formatCount(model.classCount)} ${model.classCount === 1 ? "class" : "classes"}`,
    model.clipSeconds === null ? null : `clips of ${formatDuration(model.clipSeconds)}`,
    model.sampleRate === null ? null : `${model.sampleRate / 1000} kHz`,
    model.licence,
  ].filter(Boolean);
  return (
    <>
      {model.description && <Text size="sm">{model.description}</Text>}
      {facts.length > 0 && <Text size="xs" className="quiet">{facts.join(" · ")}</Text>}
      {model.citation && <Text size="xs" className="quiet">{model.citation}</Text>}
      {model.reason && <Text size="xs" className="path quiet">{model.reason} <Anchor size="xs" href="#/environment">Environment</Anchor></Text>}
    </>
  );
}

/** Weights can be fetched beforehand, so that the run itself needs no internet. */
function FetchWeights({ name }: { name: string }) {
  const environment = useEnvironmentChoice();
  const models = useModels();
  const [progress, setProgress] = useState<Told | null>(null);
  const [controller, setController] = useState<AbortController | null>(null);
  const [error, setError] = useState<unknown>(null);
  const fetchNow = async () => {
    const fetching = new AbortController();
    setController(fetching);
    setError(null);
    try {
      await call("models/prepare", { model: { source: "zoo", name }, environment }, { signal: fetching.signal, onProgress: setProgress });
      await models.refetch();
    } catch (problem) {
      if (!fetching.signal.aborted) setError(problem);
    }
    setController(null);
    setProgress(null);
  };
  return (
    <Stack gap={6} p="xs">
      <ErrorNotice error={error} title="The weights were not fetched" />
      {controller ? (
        <>
          <Progress value={progress?.percentage ?? 100} animated aria-label="Fetching the weights" />
          <Group justify="space-between"><Text size="xs" className="quiet">{progress?.message ?? "Fetching the weights"}</Text><Button size="compact-xs" variant="default" onClick={() => controller.abort()}>Cancel</Button></Group>
        </>
      ) : (
        <Button size="xs" variant="light" onClick={() => void fetchNow()}>Fetch its weights now</Button>
      )}
    </Stack>
  );
}
