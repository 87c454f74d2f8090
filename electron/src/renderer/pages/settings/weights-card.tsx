import { Button, Group, Paper, Text, Title } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { call } from "../../api/client.js";
import { useEnvironmentChoice } from "../../api/start.js";
import { ErrorNotice } from "../../components/error-notice.js";
import { usePathPicker } from "../../components/path-picker.js";
import { formatCount } from "../../formats.js";

/** Weights that were fetched on a computer with internet, brought here on a disk. */
export function WeightsCard() {
  const picker = usePathPicker();
  const environment = useEnvironmentChoice();
  const queries = useQueryClient();
  const [told, setTold] = useState<string | null>(null);
  const [controller, setController] = useState<AbortController | null>(null);
  const [error, setError] = useState<unknown>(null);
  const bring = async () => {
    const [path] = await picker.choose({ what: "folder", title: "The cache folder with the weights" });
    if (!path) return;
    const importing = new AbortController();
    setController(importing);
    setError(null);
    setTold(null);
    try {
      const onProgress = ({ message }: { message?: string | null }) => setTold(message ?? null);
      const { imported, present } = await call("models/import", { path, environment }, { signal: importing.signal, onProgress });
      setTold(`${formatCount(imported.length)} files were brought in, ${formatCount(present)} were here already.`);
      await queries.invalidateQueries({ queryKey: ["models"] });
    } catch (problem) {
      setTold(null);
      if (!importing.signal.aborted) setError(problem);
    }
    setController(null);
  };
  return (
    <Paper withBorder p="lg" component="section" aria-label="Weights of models">
      <Title order={2} size="h4" mb={4}>Weights of models</Title>
      <Text size="sm" className="quiet" mb="sm">For computers without internet: fetch a model's weights elsewhere, copy the cache folder (of torch, Hugging Face or the zoo), and bring it in here.</Text>
      <ErrorNotice error={error} title="The weights were not brought in" />
      <Group>
        {controller ? <Button variant="default" onClick={() => controller.abort()}>Cancel</Button> : <Button variant="default" onClick={() => void bring()}>Bring in weights…</Button>}
        {told && <Text size="sm" role="status">{told}</Text>}
      </Group>
      {picker.dialog}
    </Paper>
  );
}
