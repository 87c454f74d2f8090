// Installing the environment: from what came with the app, from an archive, or from an address.
import { Button, Group, Paper, Progress, Radio, Stack, Text, TextInput, Title } from "@mantine/core";
import { useState } from "react";
import type { Environment, EnvSetupParams } from "../../../generated/contract.js";
import { ErrorNotice } from "../../components/error-notice.js";
import { usePathPicker } from "../../components/path-picker.js";
import type { SetupState } from "./setup-run.js";
import { setupRun } from "./setup-run.js";

type Source = "bundled" | "archive" | "url";

interface Properties {
  state: Environment["status"];
  setup: SetupState;
  onInstall: (params: EnvSetupParams) => void;
}

export function InstallCard({ state, setup, onInstall }: Properties) {
  const picker = usePathPicker();
  const [source, setSource] = useState<Source>("bundled");
  const [archive, setArchive] = useState("");
  const [url, setUrl] = useState("");
  const [sha256, setSha256] = useState("");
  if (setup.isRunning) return <Installing setup={setup} />;
  const choose = async () => {
    const [path] = await picker.choose({ what: "file", title: "The environment's archive", extensions: ["gz", "zst", "zip"] });
    if (path) setArchive(path);
  };
  const sumProblem = sha256 !== "" && !/^[0-9a-fA-F]{64}$/.test(sha256) ? "A SHA-256 has 64 hexadecimal digits." : null;
  const isComplete = source === "bundled" || (source === "archive" ? archive !== "" : url.startsWith("https://") && sumProblem === null);
  const start = () => {
    if (source === "bundled") onInstall({});
    else if (source === "archive") onInstall({ archive });
    else onInstall({ url, ...(sha256 ? { sha256 } : {}) });
  };
  if (state === "ready" && setup.error === null) return null;
  return (
    <Paper withBorder p="lg" component="section" aria-label="Install">
      <Title order={2} size="h4" mb="xs">Install</Title>
      <Stack gap="sm">
        <ErrorNotice error={setup.error} title="The environment was not installed" />
        <Radio.Group value={source} onChange={(value) => setSource(value as Source)} label="From" aria-label="Where it comes from">
          <Stack gap={6} mt={6}>
            <Radio value="bundled" label="what came with the app" />
            <Radio value="archive" label="an archive on this computer" />
            <Radio value="url" label="the internet" />
          </Stack>
        </Radio.Group>
        {source === "archive" && (
          <Group align="flex-end" gap="xs" wrap="nowrap">
            <TextInput style={{ flex: 1 }} label="Archive" description=".tar.gz, .tar.zst or .zip, as conda-pack makes them" value={archive} onChange={(event) => setArchive(event.currentTarget.value)} />
            <Button variant="default" onClick={() => void choose()}>Choose…</Button>
          </Group>
        )}
        {source === "url" && (
          <>
            <TextInput label="Address" placeholder="https://…" description="A download that breaks off goes on where it was." value={url} onChange={(event) => setUrl(event.currentTarget.value)} error={url !== "" && !url.startsWith("https://") ? "It begins with https://" : null} />
            <TextInput label="SHA-256 (optional)" description="Without it, the sum published beside the archive is taken." value={sha256} onChange={(event) => setSha256(event.currentTarget.value.trim())} error={sumProblem} />
          </>
        )}
        <Group><Button disabled={!isComplete} onClick={start}>Install</Button></Group>
      </Stack>
      {picker.dialog}
    </Paper>
  );
}

function Installing({ setup }: { setup: SetupState }) {
  const percentage = setup.progress?.percentage ?? 0;
  return (
    <Paper withBorder p="lg" component="section" aria-label="Installing">
      <Group justify="space-between" mb="xs">
        <Title order={2} size="h4">Installing</Title>
        <Button variant="default" size="xs" onClick={() => setupRun.cancel()}>Cancel</Button>
      </Group>
      <Progress value={percentage} size="lg" aria-label="Installing" animated />
      <Text size="sm" className="quiet" mt="xs" role="status">{Math.round(percentage)} % {setup.progress?.message ?? "Beginning"}</Text>
      <Text size="sm" className="quiet" mt={4}>You can go on in other pages meanwhile.</Text>
    </Paper>
  );
}
