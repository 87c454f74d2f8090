// Room on the disk, and model weights that were fetched on another computer.
import { Alert, Button, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Progress } from "../../../generated/contract.js";
import { call } from "../../api/client.js";
import { useEnvironmentChoice } from "../../api/start.js";
import { ErrorNotice } from "../../components/error-notice.js";
import { usePathPicker } from "../../components/path-picker.js";
import { Waiting } from "../../components/waiting.js";
import { formatBytes } from "../../formats.js";
import { importedSentence } from "./sentences.js";

export function CacheCard() {
  const clear = useMutation({ mutationFn: () => call("cache/clear", {}) });
  return (
    <Paper withBorder p="lg" component="section" aria-label="Kept clips">
      <Title order={2} size="h4" mb={4}>Kept clips</Title>
      <Text size="sm" className="quiet" mb="sm">Sounds and pictures that were shown are kept, so that they come at once the next time. They can be made again from the recordings.</Text>
      <ErrorNotice error={clear.error} title="The clips were not cleared" />
      <Group gap="sm">
        <Button variant="default" loading={clear.isPending} onClick={() => clear.mutate()}>Clear kept clips</Button>
        {clear.data && <Text size="sm" role="status">{formatBytes(clear.data.freedBytes)} freed.</Text>}
      </Group>
    </Paper>
  );
}

export function WeightsCard() {
  const environment = useEnvironmentChoice();
  const picker = usePathPicker();
  const queries = useQueryClient();
  const [progress, setProgress] = useState<Progress | null>(null);
  const take = useMutation({
    mutationFn: (path: string) => call("models/import", { path, environment }, { onProgress: setProgress }),
    onMutate: () => setProgress(null),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["models"] }),
  });
  const choose = async () => {
    const [path] = await picker.choose({ what: "folder", title: "The folder with the weights" });
    if (path) take.mutate(path);
  };
  return (
    <Paper withBorder p="lg" component="section" aria-label="Model weights">
      <Title order={2} size="h4" mb={4}>Model weights</Title>
      <Text size="sm" className="quiet" mb="sm">For a computer without internet: fetch a model elsewhere, bring its cache folder here, and take it over. Torch's, Hugging Face's and the zoo's own folders are known.</Text>
      <Stack gap="sm" align="flex-start">
        <ErrorNotice error={take.error} title="The weights were not taken over" />
        <Button variant="default" loading={take.isPending} onClick={() => void choose()}>Choose a folder…</Button>
        {take.isPending && <Waiting text="Taking the weights over" progress={progress} />}
        {take.data && <Alert color="teal" variant="light" role="status">{importedSentence(take.data)}</Alert>}
      </Stack>
      {picker.dialog}
    </Paper>
  );
}
