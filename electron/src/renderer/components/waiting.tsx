// Progress for every wait that is long enough to be noticed.
import { Group, Loader, Progress, Stack, Text } from "@mantine/core";
import { useEffect, useState } from "react";
import type { Progress as Told } from "../../generated/contract.js";

const NOTICED_AFTER_MS = 300;

interface Properties {
  text: string;
  progress?: Told | null;
}

/** Nothing for the first 300 ms, then a spinner, or a bar where a percentage is known. */
export function Waiting({ text, progress = null }: Properties) {
  const isNoticed = useAfter(NOTICED_AFTER_MS);
  if (!isNoticed) return null;
  const percentage = progress?.percentage ?? null;
  return (
    <Stack gap="xs" p="md" role="status" aria-live="polite">
      <Group gap="sm">
        {percentage === null && <Loader size="sm" aria-hidden />}
        <Text size="sm" className="quiet">{progress?.message ?? text}</Text>
      </Group>
      {percentage !== null && <Progress value={percentage} aria-label={text} />}
    </Stack>
  );
}

function useAfter(milliseconds: number): boolean {
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    const timer = window.setTimeout(() => setOver(true), milliseconds);
    return () => window.clearTimeout(timer);
  }, [milliseconds]);
  return isOver;
}
