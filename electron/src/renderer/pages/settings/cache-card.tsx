import { Button, Group, Paper, Text, Title } from "@mantine/core";
import { useState } from "react";
import { call } from "../../api/client.js";
import { ErrorNotice } from "../../components/error-notice.js";
import { formatBytes } from "../../formats.js";

/** Clips that were rendered are kept, to be shown again at once; here they are forgotten. */
export function CacheCard() {
  const [told, setTold] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const clear = async () => {
    setError(null);
    try {
      const { freedBytes } = await call("cache/clear", {});
      setTold(`${formatBytes(freedBytes)} were freed.`);
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Paper withBorder p="lg" component="section" aria-label="Rendered clips">
      <Title order={2} size="h4" mb={4}>Rendered clips</Title>
      <Text size="sm" className="quiet" mb="sm">Spectrograms and sounds that were shown are kept to be shown again at once. They can be forgotten without loss.</Text>
      <ErrorNotice error={error} />
      <Group>
        <Button variant="default" onClick={() => void clear()}>Forget them</Button>
        {told && <Text size="sm" role="status">{told}</Text>}
      </Group>
    </Paper>
  );
}
