// An error as a sentence with what to do next.
import { Alert, Button, Group, Text } from "@mantine/core";
import { TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { DipperError } from "../api/client.js";

interface Properties {
  error: unknown;
  title?: string;
  retry?: () => void;
  children?: ReactNode;
}

export function ErrorNotice({ error, title = "That did not work", retry, children }: Properties) {
  if (error === null || error === undefined) return null;
  const { message, hint } = describe(error);
  return (
    <Alert color="red" variant="light" title={title} icon={<TriangleAlert size={18} />} role="alert">
      <Text size="sm" className="path">{message}</Text>
      {hint !== null && <Text size="sm" mt={4} className="path">{hint}</Text>}
      {(retry !== undefined || children !== undefined) && (
        <Group mt="sm" gap="xs">
          {retry && <Button size="xs" variant="default" onClick={retry}>Try again</Button>}
          {children}
        </Group>
      )}
    </Alert>
  );
}

/** The sentence and the hint of anything that was thrown. */
export function describe(error: unknown): { message: string; hint: string | null } {
  if (error instanceof DipperError) return { message: error.message, hint: error.hint };
  return { message: error instanceof Error ? error.message : String(error), hint: null };
}
