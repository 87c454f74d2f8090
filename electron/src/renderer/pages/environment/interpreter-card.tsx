// For people who keep an environment of their own: its interpreter instead of ours.
import { Button, Group, Paper, Text, TextInput, Title } from "@mantine/core";
import { useState } from "react";
import { useSurroundings } from "../../api/start.js";
import { usePathPicker } from "../../components/path-picker.js";
import { ErrorNotice } from "../../components/error-notice.js";

export function InterpreterCard({ onChange }: { onChange: () => void }) {
  const { settings, change } = useSurroundings();
  const picker = usePathPicker();
  const [text, setText] = useState(settings.python ?? "");
  const [error, setError] = useState<unknown>(null);
  const apply = async (python: string | null) => {
    setError(null);
    try {
      await change({ python });
      setText(python ?? "");
      onChange();
    } catch (problem) {
      setError(problem);
    }
  };
  const choose = async () => {
    const [path] = await picker.choose({ what: "file", title: "A Python interpreter" });
    if (path) await apply(path);
  };
  return (
    <Paper withBorder p="lg" component="section" aria-label="Your own interpreter">
      <Title order={2} size="h4" mb={4}>Use an interpreter of your own</Title>
      <Text size="sm" className="quiet" mb="sm">A Python that has PyTorch, OpenSoundscape and the bioacoustics-model-zoo, for instance of a conda environment.</Text>
      <ErrorNotice error={error} />
      <Group align="flex-end" gap="xs" wrap="nowrap">
        <TextInput style={{ flex: 1 }} label="Interpreter" placeholder="…/bin/python" value={text} onChange={(event) => setText(event.currentTarget.value)} />
        <Button variant="default" onClick={() => void choose()}>Choose…</Button>
        <Button disabled={text === (settings.python ?? "") || text === ""} onClick={() => void apply(text)}>Use it</Button>
        {settings.python !== null && <Button variant="subtle" onClick={() => void apply(null)}>Back to ours</Button>}
      </Group>
      {picker.dialog}
    </Paper>
  );
}
