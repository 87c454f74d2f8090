// New run: from recordings to a started job.
import { Button, Collapse, Paper, Stack, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { ReactNode } from "react";
import { PageTitle } from "../../components/page-title.js";
import { ConfigMenu } from "./config-menu.js";
import { textOf, withText } from "./draft.js";
import { FieldInput } from "./field-input.js";
import { ADVANCED_FIELDS, BASIC_FIELDS } from "./fields.js";
import type { Field } from "./fields.js";
import { ModelSection } from "./model-section.js";
import { RecordingsSection } from "./recordings-section.js";
import { SummaryPanel } from "./summary-panel.js";
import { useDraft } from "./use-draft.js";
import type { DraftState } from "./use-draft.js";
import "./run.css";

export default function RunPage() {
  const state = useDraft();
  const { draft, change, problems } = state;
  const [isAdvanced, { toggle }] = useDisclosure(false);
  return (
    <div className="page">
      <PageTitle title="New run" subtitle="Which species call, where and when."><ConfigMenu draft={draft} onLoad={change} /></PageTitle>
      <div className="run">
        <Stack gap="lg" style={{ minWidth: 0 }}>
          <Step number={1} title="Recordings"><RecordingsSection draft={draft} onChange={change} /></Step>
          <Step number={2} title="Model"><ModelSection draft={draft} problems={problems} onChange={change} /></Step>
          <Step number={3} title="Settings">
            <Fields state={state} fields={BASIC_FIELDS} />
            <Button variant="subtle" size="compact-sm" my="sm" onClick={toggle} aria-expanded={isAdvanced}>{isAdvanced ? "Hide advanced settings" : "Advanced settings"}</Button>
            <Collapse expanded={isAdvanced}><Fields state={state} fields={ADVANCED_FIELDS} /></Collapse>
          </Step>
        </Stack>
        <SummaryPanel state={state} />
      </div>
    </div>
  );
}

function Step({ number, title, children }: { number: number; title: string; children: ReactNode }) {
  return (
    <Paper withBorder p="lg" component="section" aria-label={title}>
      <Title order={2} size="h4" mb="sm"><span className="step-number" aria-hidden>{number}</span>{title}</Title>
      {children}
    </Paper>
  );
}

function Fields({ state: { draft, change, problems }, fields }: { state: DraftState; fields: ReadonlyArray<Field> }) {
  return (
    <div className="field-grid">
      {fields.map((field) => (
        <FieldInput key={field.place} field={field} text={textOf(draft, field)} problem={problems[field.place]} onChange={(text) => change(withText(draft, field, text))} />
      ))}
    </div>
  );
}
