// A server-side file browser, for where there is no dialog of the system: only folders that the host allows.
import { Button, Group, Modal, ScrollArea, Stack, Text, TextInput, UnstyledButton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { CornerLeftUp, File, Folder } from "lucide-react";
import { useState } from "react";
import { command } from "../api/client.js";
import { formatBytes } from "../formats.js";
import type { Choice, FolderEntry, FolderListing } from "../../shared/api.js";
import { ErrorNotice } from "./error-notice.js";
import { Waiting } from "./waiting.js";

interface Properties {
  choice: Choice;
  onDone: (paths: ReadonlyArray<string>) => void;
}

export function FileBrowser({ choice, onDone }: Properties) {
  const [folder, setFolder] = useState<string | null>(null);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [name, setName] = useState(() => choice.suggestion?.split(/[/\\]/).at(-1) ?? "");
  const listing = useQuery({ queryKey: ["files", folder], queryFn: () => command("files/list", { folder }) });
  const open = (path: string | null) => {
    setFolder(path);
    setChosen(new Set());
  };
  const pick = (entry: FolderEntry) => {
    if (entry.kind === "folder") open(entry.path);
    else if (choice.what === "save") setName(entry.name);
    else setChosen((before) => toggled(before, entry.path, choice.what === "files"));
  };
  const here = listing.data?.folder ?? null;
  const answer = answerOf(choice, here, chosen, name);
  return (
    <Modal opened onClose={() => onDone([])} title={choice.title} size="lg" closeButtonProps={{ "aria-label": "Close" }}>
      <Stack gap="sm">
        <Text size="sm" className="path quiet">{here || "Folders that may be used"}</Text>
        <ErrorNotice error={listing.error} title="This folder cannot be opened" retry={() => open(null)} />
        <ScrollArea.Autosize mah={360} type="auto">
          {listing.isPending && <Waiting text="Reading the folder" />}
          {listing.data && <Entries listing={listing.data} choice={choice} chosen={chosen} onPick={pick} onUp={() => open(listing.data.parent)} />}
        </ScrollArea.Autosize>
        {choice.what === "save" && (
          <TextInput label="File name" value={name} onChange={(event) => setName(event.currentTarget.value)} />
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={() => onDone([])}>Cancel</Button>
          <Button disabled={answer.length === 0} onClick={() => onDone(answer)}>{VERB[choice.what]}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

const VERB = { file: "Open", files: "Choose", folder: "Choose this folder", save: "Save" } as const;

interface EntriesProperties {
  listing: FolderListing;
  choice: Choice;
  chosen: ReadonlySet<string>;
  onPick: (entry: FolderEntry) => void;
  onUp: () => void;
}

function Entries({ listing, choice, chosen, onPick, onUp }: EntriesProperties) {
  const shown = listing.entries.filter((entry) => entry.kind === "folder" || (choice.what !== "folder" && fits(entry, choice)));
  return (
    <Stack gap={2}>
      {listing.folder !== "" && <Row icon={<CornerLeftUp size={16} />} label="Up" onClick={onUp} />}
      {shown.map((entry) => (
        <Row
          key={entry.path}
          icon={entry.kind === "folder" ? <Folder size={16} /> : <File size={16} />}
          label={entry.name}
          detail={entry.kind === "file" ? formatBytes(entry.sizeBytes) : ""}
          isChosen={chosen.has(entry.path)}
          onClick={() => onPick(entry)}
        />
      ))}
      {shown.length === 0 && <Text size="sm" className="quiet" p="sm">Nothing here that fits.</Text>}
    </Stack>
  );
}

interface RowProperties {
  icon: React.ReactNode;
  label: string;
  detail?: string;
  isChosen?: boolean;
  onClick: () => void;
}

function Row({ icon, label, detail = "", isChosen = false, onClick }: RowProperties) {
  return (
    <UnstyledButton
      onClick={onClick}
      aria-pressed={isChosen}
      px="xs"
      py={6}
      style={{ borderRadius: 6, background: isChosen ? "var(--mantine-primary-color-light)" : undefined }}
    >
      <Group gap="sm" wrap="nowrap">
        {icon}
        <Text size="sm" style={{ flex: 1 }} className="path">{label}</Text>
        <Text size="xs" className="quiet">{detail}</Text>
      </Group>
    </UnstyledButton>
  );
}

function fits(entry: FolderEntry, choice: Choice): boolean {
  const extension = entry.name.toLowerCase().split(".").at(-1) ?? "";
  return !choice.extensions?.length || choice.extensions.includes(extension);
}

function toggled(before: ReadonlySet<string>, path: string, many: boolean): ReadonlySet<string> {
  if (!many) return new Set([path]);
  const after = new Set(before);
  if (!after.delete(path)) after.add(path);
  return after;
}

function answerOf(choice: Choice, folder: string | null, chosen: ReadonlySet<string>, name: string): ReadonlyArray<string> {
  if (choice.what === "folder") return folder ? [folder] : [];
  if (choice.what === "save") return folder && name ? [`${folder.replace(/[/\\]$/, "")}/${name}`] : [];
  return [...chosen];
}
