// Choosing what to look at: a score file, a job, or something that was open before.
import { Button, Group, NavLink, Paper, Stack, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { AudioLines, FileSpreadsheet, FolderOpen } from "lucide-react";
import { call } from "../../api/client.js";
import { useSurroundings } from "../../api/start.js";
import { EmptyState } from "../../components/empty-state.js";
import { ErrorNotice } from "../../components/error-notice.js";
import { PageTitle } from "../../components/page-title.js";
import { usePathPicker } from "../../components/path-picker.js";
import { fileName, formatCount } from "../../formats.js";
import { addressOf, go } from "../../routing.js";

const EXTENSIONS = ["csv", "tsv", "txt", "parquet"];

export function OpenScores() {
  const { settings } = useSurroundings();
  const picker = usePathPicker();
  const jobs = useQuery({ queryKey: ["jobs", "explorable"], queryFn: () => call("jobs/list", { limit: 50 }) });
  const scored = jobs.data?.jobs.filter((job) => job.clips > 0) ?? [];
  const open = async (what: "file" | "folder") => {
    const title = what === "file" ? "Open a score file" : "Open a job's folder";
    const [path] = await picker.choose({ what, title, ...(what === "file" ? { extensions: EXTENSIONS } : {}) });
    if (path) go("explore", { path });
  };
  const buttons = (
    <Group gap="xs">
      <Button leftSection={<FileSpreadsheet size={16} />} onClick={() => void open("file")}>Open a score file</Button>
      <Button variant="default" leftSection={<FolderOpen size={16} />} onClick={() => void open("folder")}>Open a job's folder</Button>
    </Group>
  );
  const isEmpty = scored.length === 0 && settings.recents.scores.length === 0;
  return (
    <div className="page">
      <PageTitle title="Explore" subtitle="Listen to what was found, and see it.">{!isEmpty && buttons}</PageTitle>
      <ErrorNotice error={jobs.error} title="The jobs could not be listed" retry={() => void jobs.refetch()} />
      {isEmpty && !jobs.isPending && (
        <EmptyState Icon={AudioLines} title="Nothing open yet" action={buttons}>
          Scores of this app, BirdNET, Raven, Audacity, Kaleidoscope, Chirpity and OpenSoundscape can be opened. Runs of your own
          appear here when they have scored something.
        </EmptyState>
      )}
      <Stack gap="lg" className="reading">
        {scored.length > 0 && (
          <Links title="Jobs" links={scored.map((job) => ({ path: job.jobFolder, label: job.name, detail: `${job.model}, ${formatCount(job.clips)} clips, ${job.createdAt.slice(0, 16).replace("T", " ")}` }))} />
        )}
        {settings.recents.scores.length > 0 && (
          <Links title="Open before" links={settings.recents.scores.map((path) => ({ path, label: fileName(path), detail: path }))} />
        )}
      </Stack>
      {picker.dialog}
    </div>
  );
}

function Links({ title, links }: { title: string; links: ReadonlyArray<{ path: string; label: string; detail: string }> }) {
  return (
    <section>
      <Title order={2} size="h5" mb="xs">{title}</Title>
      <Paper withBorder>
        {links.map(({ path, label, detail }) => (
          <NavLink key={path} href={addressOf("explore", { path })} label={label} description={detail} leftSection={<AudioLines size={18} />} />
        ))}
      </Paper>
    </section>
  );
}
