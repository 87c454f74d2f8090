// How the app looks, and how many cards Explore draws ahead.
import { NumberInput, Paper, SegmentedControl, Stack, Text, Title } from "@mantine/core";
import { useSurroundings } from "../../api/start.js";
import type { Settings } from "../../../shared/api.js";

const THEMES = [{ value: "auto", label: "As the system" }, { value: "light", label: "Light" }, { value: "dark", label: "Dark" }];

export function AppearanceCard() {
  const { settings, change } = useSurroundings();
  return (
    <Paper withBorder p="lg" component="section" aria-label="Appearance">
      <Title order={2} size="h4" mb="sm">Appearance</Title>
      <Stack gap="md" align="flex-start">
        <div>
          <Text size="sm" fw={500} mb={4}>Theme</Text>
          <SegmentedControl aria-label="Theme" data={THEMES} value={settings.theme} onChange={(theme) => void change({ theme: theme as Settings["theme"] })} />
        </div>
        <NumberInput
          label="Cards that Explore draws ahead"
          description="More make scrolling smoother and take more of the computer."
          w={320}
          min={1}
          max={200}
          allowDecimal={false}
          clampBehavior="strict"
          value={settings.cardsPerPage}
          onChange={(value) => Number(value) >= 1 && void change({ cardsPerPage: Number(value) })}
        />
      </Stack>
    </Paper>
  );
}
