// How the sidecar is, in the corner; and what can be done where it is not well.
import { Button, Group, Stack, Text } from "@mantine/core";
import { command } from "../api/client.js";
import { useSurroundings } from "../api/start.js";
import type { SidecarState } from "../../shared/api.js";

const COLOR = { starting: "yellow", ready: "teal", restarting: "yellow", failed: "red" } as const;

export function SidecarNotice() {
  const { sidecar } = useSurroundings();
  return (
    <Stack gap={6} px={10} py={6} role="status" aria-live="polite" data-sidecar={sidecar.kind}>
      <Group gap={8} wrap="nowrap">
        <span aria-hidden style={{ width: 8, height: 8, borderRadius: 4, flex: "none", background: `var(--mantine-color-${COLOR[sidecar.kind]}-6)` }} />
        <Text size="xs" className="quiet">{sentence(sidecar)}</Text>
      </Group>
      {sidecar.kind === "failed" && (
        <>
          <Text size="xs">{sidecar.hint}</Text>
          <Button size="compact-xs" variant="default" onClick={() => void command("sidecar/restart", {})}>Start it again</Button>
        </>
      )}
    </Stack>
  );
}

function sentence(state: SidecarState): string {
  switch (state.kind) {
    case "starting":
      return "Starting";
    case "ready":
      return "Ready";
    case "restarting":
      return `Restarting (${state.attempt} of 3): ${state.reason}`;
    case "failed":
      return state.reason;
  }
}
