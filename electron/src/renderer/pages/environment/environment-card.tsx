// The state of the environment as a sentence, with what can be done about it.
import { Badge, Button, Collapse, Group, Modal, Paper, Stack, Table, Text, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";
import type { Environment } from "../../../generated/contract.js";
import { call } from "../../api/client.js";
import { useEnvironmentChoice, useSurroundings } from "../../api/start.js";
import { ErrorNotice } from "../../components/error-notice.js";
import { formatBytes } from "../../formats.js";

const STATUS = {
  ready: { color: "teal", label: "Ready", sentence: "Models can be run." },
  missing: { color: "gray", label: "Not installed", sentence: "Install it below; then models can be run." },
  incomplete: { color: "yellow", label: "Incomplete", sentence: "Its installation was interrupted, or something is lacking. Install it again: what is there already is used." },
  broken: { color: "red", label: "Broken", sentence: "It is there but cannot be used. Repairing it installs it anew." },
} as const;

interface Properties {
  environment: Environment;
  onChange: () => void;
  onRepair: () => void;
}

export function EnvironmentCard({ environment, onChange, onRepair }: Properties) {
  const { settings } = useSurroundings();
  const choice = useEnvironmentChoice();
  const [checked, setChecked] = useState<Environment | null>(null);
  const [isChecking, setChecking] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [packagesOpen, packages] = useDisclosure(false);
  const [removeOpen, remove] = useDisclosure(false);
  const shown = checked ?? environment;
  const { color, label, sentence } = STATUS[shown.status];
  const isOwn = settings.python !== null;
  const examine = async () => {
    setChecking(true);
    setError(null);
    try {
      setChecked(await call("env/check", { ...choice, deep: true }));
    } catch (problem) {
      setError(problem);
    }
    setChecking(false);
  };
  const names = Object.entries(shown.packages).sort(([a], [b]) => a.localeCompare(b));
  return (
    <Paper withBorder p="lg">
      <Group gap="sm" mb={6}>
        <Title order={2} size="h4">{isOwn ? "Your own interpreter" : "ML environment"}</Title>
        <Badge color={color} variant="light" data-status={shown.status}>{label}</Badge>
      </Group>
      <Text>{sentence}</Text>
      {shown.problem !== null && <Text size="sm" className="path quiet" mt={4}>{shown.problem}</Text>}
      <Table mt="sm" verticalSpacing={4} withRowBorders={false} layout="fixed">
        <Table.Tbody>
          <Fact name="Where" value={isOwn ? (shown.pythonPath ?? shown.folder) : shown.folder} />
          {shown.pythonVersion && <Fact name="Python" value={shown.pythonVersion} />}
          {shown.packages["torch"] && <Fact name="PyTorch" value={shown.packages["torch"]} />}
          {shown.sizeBytes !== null && <Fact name="Size" value={formatBytes(shown.sizeBytes)} />}
        </Table.Tbody>
      </Table>
      <ErrorNotice error={error} />
      {shown.status !== "missing" && (
        <Group mt="md" gap="xs">
          <Button variant="default" size="xs" loading={isChecking} onClick={() => void examine()}>Check every file</Button>
          {!isOwn && <Button variant="default" size="xs" onClick={onRepair}>Repair</Button>}
          {names.length > 0 && <Button variant="subtle" size="xs" onClick={packages.toggle} aria-expanded={packagesOpen}>{names.length} packages</Button>}
          {!isOwn && <Button variant="subtle" color="red" size="xs" onClick={remove.open}>Remove…</Button>}
          {checked && <Text size="sm" role="status">{checked.status === "ready" ? "Every file is as it should be." : ""}</Text>}
        </Group>
      )}
      <Collapse expanded={packagesOpen}>
        <Table mt="sm" verticalSpacing={2} maw={420}>
          <Table.Tbody>{names.map(([name, version]) => <Fact key={name} name={name} value={version} />)}</Table.Tbody>
        </Table>
      </Collapse>
      {removeOpen && <RemoveDialog environment={shown} onClose={remove.close} onRemoved={() => { setChecked(null); onChange(); }} />}
    </Paper>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <Table.Tr>
      <Table.Td pl={0} w={110} className="quiet">{name}</Table.Td>
      <Table.Td className="path">{value}</Table.Td>
    </Table.Tr>
  );
}

function RemoveDialog({ environment, onClose, onRemoved }: { environment: Environment; onClose: () => void; onRemoved: () => void }) {
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const removeIt = async () => {
    setBusy(true);
    try {
      await call("env/remove", { folder: environment.folder });
      onRemoved();
      onClose();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Modal opened onClose={onClose} title="Remove the environment?" closeButtonProps={{ "aria-label": "Close" }}>
      <Stack>
        <Text size="sm">{environment.sizeBytes ? `${formatBytes(environment.sizeBytes)} are freed. ` : ""}Recordings, jobs and scores stay. To run models again it has to be installed again.</Text>
        <ErrorNotice error={error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>Keep it</Button>
          <Button color="red" loading={isBusy} onClick={() => void removeIt()}>Remove</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
