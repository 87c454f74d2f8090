// What the app is made of, where it keeps things, its log, and all of that for a bug report.
import { Button, Code, CopyButton, Group, Paper, ScrollArea, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { call, command } from "../../api/client.js";
import { useSurroundings } from "../../api/start.js";
import { ErrorNotice } from "../../components/error-notice.js";
import { bugReport, versionFacts } from "./report.js";
import type { Fact } from "./report.js";

const LOG_LINES = 200;
const LOG_EVERY_MS = 3_000;

export function AboutCard() {
  const { description, sidecar } = useSurroundings();
  const health = useQuery({ queryKey: ["health"], queryFn: ({ signal }) => call("health", {}, { signal }), enabled: sidecar.kind === "ready" });
  const log = useQuery({ queryKey: ["log"], queryFn: () => command("logs/tail", { lines: LOG_LINES }), refetchInterval: LOG_EVERY_MS });
  const running = sidecar.kind === "ready" ? health.data : undefined;
  const facts = versionFacts(description, running, window.navigator.userAgent);
  const lines = log.data ?? [];
  return (
    <Stack gap="lg">
      <Paper withBorder p="lg" component="section" aria-label="About">
        <Group justify="space-between" mb="xs">
          <Title order={2} size="h4">About</Title>
          <Copy label="Copy everything for a bug report" text={bugReport(facts, running, lines)} />
        </Group>
        <ErrorNotice error={health.error} title="The sidecar does not answer" />
        <Facts facts={facts} />
        <Text size="sm" fw={600} mt="sm">Folders</Text>
        <Facts facts={[{ name: "data", value: description.dataFolder }, { name: "log", value: description.logFile }]} />
        {description.host === "electron" && <Button mt="xs" size="xs" variant="default" onClick={() => void command("files/reveal", { path: description.logFile })}>Show the log's folder</Button>}
        <Text size="sm" className="quiet" mt="sm">The licence is in the file LICENSE that came with the app. Models and their weights have licences of their own, which their makers state.</Text>
      </Paper>
      <Paper withBorder p="lg" component="section" aria-label="Log">
        <Group justify="space-between" mb="xs">
          <Title order={2} size="h4">Log</Title>
          <Copy label="Copy the log" text={lines.join("\n")} />
        </Group>
        <ErrorNotice error={log.error} title="The log cannot be read" />
        <ScrollArea.Autosize mah={280} type="auto" viewportProps={{ tabIndex: 0, "aria-label": "Log" }}>
          <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>{lines.join("\n") || "Nothing has been written yet."}</Code>
        </ScrollArea.Autosize>
      </Paper>
    </Stack>
  );
}

function Facts({ facts }: { facts: ReadonlyArray<Fact> }) {
  return (
    <Table verticalSpacing={4} withRowBorders={false} layout="fixed">
      <Table.Tbody>
        {facts.map(({ name, value }) => (
          <Table.Tr key={name}>
            <Table.Td pl={0} w={110} className="quiet">{name}</Table.Td>
            <Table.Td className="path">{value}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function Copy({ label, text }: { label: string; text: string }) {
  return <CopyButton value={text}>{({ copied, copy }) => <Button size="xs" variant="default" onClick={copy}>{copied ? "Copied" : label}</Button>}</CopyButton>;
}
