// Room on the disk, and model weights that were fetched on another computer.
import { Alert, Button, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import type { Progress } from "../../../generated/contract.js";
import { call, DipperError } from "../../api/client.js";
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
  const controller = useRef<AbortController | null>(null);
  const take = useMutation({
    mutationFn: (path: string) => {
      setProgress(null);
      controller.current = new AbortController();
      return call("models/import", { path, environment }, { signal: controller.current.signal, onProgress: setProgress });
    },
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
        {!wasCancelled(take.error) && <ErrorNotice error={take.error} title="The weights were not taken over" />}
        {take.isPending
          ? <Button variant="default" onClick={() => controller.current?.abort()}>Cancel</Button>
          : <Button variant="default" onClick={() => void choose()}>Choose a folder…</Button>}
        {wasCancelled(take.error) && <Text size="sm" role="status">Cancelled. What was taken over already stays.</Text>}
        {take.isPending && <Waiting text="Taking the weights over" progress={progress} />}
        {take.data && <Alert color="teal" variant="light" role="status">{importedSentence(take.data)}</Alert>}
      </Stack>
      {picker.dialog}
    </Paper>
  );
}

function wasCancelled(error: unknown): boolean {
  return error instanceof DipperError && error.isCancelled;
}
