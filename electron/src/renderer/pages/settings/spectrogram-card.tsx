// How spectrograms are drawn where nothing else was chosen for a clip.
import { NativeSelect, Paper, Stack, Text, Title } from "@mantine/core";
import { useSurroundings } from "../../api/start.js";
import type { Colormap } from "../../../shared/api.js";
import { COLORMAPS } from "../../components/colormaps.js";
import { RangeSetting } from "./range-setting.js";
import type { Range } from "./ranges.js";

/** From quiet to loud; a few of each colormap's own colours. */
const STRIP: Record<Colormap, string> = {
  magma: "#000004, #3b0f70, #8c2981, #de4968, #fe9f6d, #fcfdbf",
  viridis: "#440154, #414487, #2a788e, #22a884, #7ad151, #fde725",
  inferno: "#000004, #420a68, #932667, #dd513a, #fca50a, #fcffa4",
  plasma: "#0d0887, #6a00a8, #b12a90, #e16462, #fca636, #f0f921",
  turbo: "#30123b, #4686fb, #1ae4b6, #a2fc3c, #faba39, #e4460a, #7a0403",
  greys: "#ffffff, #000000",
  greys_r: "#000000, #ffffff",
};
const DECIBELS: Range = [-80, -20];
const FREQUENCIES: Range = [0, 12_000];

export function SpectrogramCard() {
  const { settings, change } = useSurroundings();
  return (
    <Paper withBorder p="lg" component="section" aria-label="Spectrograms">
      <Title order={2} size="h4" mb={4}>Spectrograms</Title>
      <Text size="sm" className="quiet" mb="sm">What Explore draws, and what a clip begins with.</Text>
      <Stack gap="md" align="flex-start">
        <div>
          <NativeSelect label="Colours" w={280} data={[...COLORMAPS]} value={settings.colormap} onChange={(event) => void change({ colormap: event.currentTarget.value as Colormap })} />
          <div aria-hidden style={{ width: 280, height: 16, marginTop: 8, borderRadius: 4, border: "1px solid var(--mantine-color-default-border)", background: `linear-gradient(to right, ${STRIP[settings.colormap]})` }} />
          <Text size="xs" className="quiet" w={280} style={{ display: "flex", justifyContent: "space-between" }} component="div"><span>quiet</span><span>loud</span></Text>
        </div>
        <RangeSetting label="Levels" automatic="From each clip" unit="dB" min={-200} max={50} initial={DECIBELS} value={settings.decibelRange === "auto" ? null : settings.decibelRange} onChange={(range) => void change({ decibelRange: range ?? "auto" })} />
        <RangeSetting label="Frequencies" automatic="All that the recording has" unit="Hz" min={0} max={500_000} initial={FREQUENCIES} value={settings.frequencyRangeHz} onChange={(frequencyRangeHz) => void change({ frequencyRangeHz })} />
      </Stack>
    </Paper>
  );
}
