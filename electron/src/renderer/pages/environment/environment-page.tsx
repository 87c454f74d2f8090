// Environment: what runs the models, from not being there to ready.
import { Stack } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { call } from "../../api/client.js";
import { useEnvironmentChoice, useSurroundings } from "../../api/start.js";
import { ErrorNotice } from "../../components/error-notice.js";
import { PageTitle } from "../../components/page-title.js";
import { Waiting } from "../../components/waiting.js";
import { EnvironmentCard } from "./environment-card.js";
import { InstallCard } from "./install-card.js";
import { InterpreterCard } from "./interpreter-card.js";
import { setupRun, useSetupRun } from "./setup-run.js";

export default function EnvironmentPage() {
  const choice = useEnvironmentChoice();
  const { settings } = useSurroundings();
  const setup = useSetupRun();
  const queries = useQueryClient();
  const check = useQuery({
    queryKey: ["environment", choice],
    queryFn: ({ signal }) => call("env/check", choice, { signal }),
    enabled: !setup.isRunning,
  });
  const changed = () => {
    void check.refetch();
    void queries.invalidateQueries({ queryKey: ["models"] });
  };
  const install = async (source: Parameters<typeof setupRun.start>[0]) => {
    await setupRun.start({ folder: settings.environmentFolder, ...source });
    changed();
  };
  return (
    <div className="page">
      <PageTitle title="Environment" subtitle="The Python environment with PyTorch that runs the models. It is installed once and needs no internet afterwards." />
      <Stack className="reading" gap="lg">
        <ErrorNotice error={check.error} title="The environment cannot be checked" retry={changed} />
        {check.isPending && !setup.isRunning && <Waiting text="Looking at the environment" />}
        {check.data && !setup.isRunning && <EnvironmentCard key={JSON.stringify(choice)} environment={check.data} onChange={changed} onRepair={() => void install({ force: true })} />}
        {settings.python === null && <InstallCard state={check.data?.status ?? "missing"} setup={setup} onInstall={(source) => void install(source)} />}
        <InterpreterCard onChange={changed} />
      </Stack>
    </div>
  );
}
