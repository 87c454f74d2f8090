// Settings: each is applied and kept at once.
import { Stack } from "@mantine/core";
import { PageTitle } from "../../components/page-title.js";
import { AppearanceCard } from "./appearance-card.js";
import { RunsCard } from "./runs-card.js";
import { SpectrogramCard } from "./spectrogram-card.js";
import { CacheCard, WeightsCard } from "./storage-card.js";

export default function SettingsPage() {
  return (
    <div className="page">
      <PageTitle title="Settings" subtitle="Every change is applied and kept at once." />
      <Stack className="reading" gap="lg">
        <AppearanceCard />
        <SpectrogramCard />
        <RunsCard />
        <CacheCard />
        <WeightsCard />
      </Stack>
    </div>
  );
}
