// Where results go, and what happens with running jobs when the app is closed.
import { Button, Group, Paper, Radio, Stack, Switch, Text, TextInput, Title } from "@mantine/core";
import { useSurroundings } from "../../api/start.js";
import { usePathPicker } from "../../components/path-picker.js";
import type { Settings } from "../../../shared/api.js";

const CLOSING: ReadonlyArray<{ value: Settings["onClose"]; label: string; description: string }> = [
  { value: "ask", label: "Ask each time", description: "Only while a job is running." },
  { value: "tray", label: "Go on in the background", description: "The window closes, the job runs on." },
  { value: "pause", label: "Stop for now", description: "What is done is kept; the job can be resumed." },
  { value: "cancel", label: "Cancel the jobs", description: "What is done is kept." },
];

export function RunsCard() {
  const { description, settings, change } = useSurroundings();
  const picker = usePathPicker();
  const choose = async () => {
    const [outputFolder] = await picker.choose({ what: "folder", title: "Where results go" });
    if (outputFolder) await change({ outputFolder });
  };
  return (
    <Paper withBorder p="lg" component="section" aria-label="Runs">
      <Title order={2} size="h4" mb="sm">Runs</Title>
      <Stack gap="md">
        <Group align="flex-end" gap="xs" wrap="nowrap">
          <TextInput style={{ flex: 1 }} readOnly label="Where results go" value={settings.outputFolder ?? ""} placeholder="Chosen with each run" />
          <Button variant="default" onClick={() => void choose()}>Choose…</Button>
          {settings.outputFolder !== null && <Button variant="subtle" onClick={() => void change({ outputFolder: null })}>Choose with each run</Button>}
        </Group>
        <Switch label="Tell me when a job has ended" checked={settings.notifications} onChange={(event) => void change({ notifications: event.currentTarget.checked })} />
        {description.host === "electron" && (
          <Radio.Group label="When the window is closed while a job is running" value={settings.onClose} onChange={(onClose) => void change({ onClose: onClose as Settings["onClose"] })}>
            <Stack gap={6} mt={6}>{CLOSING.map((choice) => <Radio key={choice.value} {...choice} />)}</Stack>
          </Radio.Group>
        )}
        {description.host === "browser" && <Text size="sm" className="quiet">Closing this page leaves running jobs as they are.</Text>}
      </Stack>
      {picker.dialog}
    </Paper>
  );
}
