// Which recordings: dropped, chosen, or used before; what was found in them.
import { ActionIcon, Alert, Button, Collapse, Group, Menu, Paper, Progress, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useVirtualizer } from "@tanstack/react-virtual";
import { FileAudio, FolderOpen, History, RotateCcw, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import type { DragEvent } from "react";
import { useSurroundings } from "../../api/start.js";
import { ErrorNotice } from "../../components/error-notice.js";
import { usePathPicker } from "../../components/path-picker.js";
import { fileName, formatBytes, formatCount, formatDuration } from "../../formats.js";
import type { Draft } from "./draft.js";
import { scans, useScans } from "./scans.js";
import type { FolderScan } from "./scans.js";

const EXTENSIONS = ["wav", "wave", "flac", "mp3", "ogg", "opus", "aif", "aiff", "aifc", "m4a", "wv", "w4v", "caf", "au", "bwf", "wac"];

interface Properties {
  draft: Draft;
  onChange: (draft: Draft) => void;
}

export function RecordingsSection({ draft, onChange }: Properties) {
  const { settings, addRecent } = useSurroundings();
  const picker = usePathPicker();
  const [note, setNote] = useState<string | null>(null);
  useScans();
  useEffect(() => scans.keep(draft.folders), [draft.folders]);
  const addFolders = (paths: ReadonlyArray<string>) => {
    onChange({ ...draft, folders: [...new Set([...draft.folders, ...paths])] });
    for (const path of paths) void addRecent("recordings", path);
  };
  const addFiles = (paths: ReadonlyArray<string>) => onChange({ ...draft, files: [...new Set([...draft.files, ...paths])] });
  const drop = (event: DragEvent) => {
    event.preventDefault();
    const items = [...event.dataTransfer.items].map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
    const found = items.flatMap(({ entry, file }) => (file ? [{ path: window.dipper.pathOf(file), isFolder: entry?.isDirectory ?? false }] : []));
    setNote(found.some(({ path }) => path === null) ? "A browser does not tell where a dropped file lies. Use the buttons instead." : null);
    const known = found.flatMap(({ path, isFolder }) => (path === null ? [] : [{ path, isFolder }]));
    const folders = known.filter(({ isFolder }) => isFolder).map(({ path }) => path);
    const files = known.filter(({ isFolder }) => !isFolder).map(({ path }) => path);
    if (folders.length > 0 || files.length > 0) onChange({ ...draft, folders: [...new Set([...draft.folders, ...folders])], files: [...new Set([...draft.files, ...files])] });
  };
  const chooseFolder = async () => {
    const chosen = await picker.choose({ what: "folder", title: "A folder with recordings" });
    if (chosen.length > 0) addFolders(chosen);
  };
  const chooseFiles = async () => {
    const chosen = await picker.choose({ what: "files", title: "Recordings", extensions: EXTENSIONS });
    if (chosen.length > 0) addFiles(chosen);
  };
  const recents = settings.recents.recordings.filter((path) => !draft.folders.includes(path));
  return (
    <Stack gap="sm">
      <Paper className="drop" onDragOver={(event) => event.preventDefault()} onDrop={drop}>
        <Group gap="xs" justify="center">
          <Button leftSection={<FolderOpen size={16} />} onClick={() => void chooseFolder()}>Choose folder</Button>
          <Button variant="default" leftSection={<FileAudio size={16} />} onClick={() => void chooseFiles()}>Choose files</Button>
          {recents.length > 0 && (
            <Menu>
              <Menu.Target><Button variant="default" leftSection={<History size={16} />}>Used before</Button></Menu.Target>
              <Menu.Dropdown>{recents.map((path) => <Menu.Item key={path} onClick={() => addFolders([path])}>{path}</Menu.Item>)}</Menu.Dropdown>
            </Menu>
          )}
        </Group>
        <Text size="sm" className="quiet" ta="center" mt={6}>or drop folders and files here</Text>
      </Paper>
      {note && <Alert color="blue" variant="light" withCloseButton onClose={() => setNote(null)}>{note}</Alert>}
      {draft.folders.map((folder) => (
        <FolderCard key={folder} folder={folder} scan={scans.of(folder)} onRemove={() => onChange({ ...draft, folders: draft.folders.filter((other) => other !== folder) })} />
      ))}
      {draft.files.length > 0 && (
        <Paper withBorder p="sm">
          <Group justify="space-between" wrap="nowrap">
            <Text size="sm" truncate title={draft.files.join("\n")}>{formatCount(draft.files.length)} single {draft.files.length === 1 ? "file" : "files"}: {draft.files.slice(0, 3).map(fileName).join(", ")}{draft.files.length > 3 && " …"}</Text>
            <ActionIcon variant="subtle" color="gray" aria-label="Leave the single files out" onClick={() => onChange({ ...draft, files: [] })}><X size={16} /></ActionIcon>
          </Group>
        </Paper>
      )}
      {picker.dialog}
    </Stack>
  );
}

function FolderCard({ folder, scan, onRemove }: { folder: string; scan: FolderScan | undefined; onRemove: () => void }) {
  const [filesOpen, files] = useDisclosure(false);
  const [problemsOpen, problems] = useDisclosure(false);
  const totals = scan?.totals;
  return (
    <Paper withBorder p="sm" data-folder={folder}>
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <div style={{ minWidth: 0 }}>
          <Text fw={600} truncate title={folder}>{folder}</Text>
          {totals && (
            <Text size="sm" className="quiet" role="status">
              {formatCount(totals.count)} {totals.count === 1 ? "recording" : "recordings"} · {formatDuration(totals.seconds)} · {formatBytes(totals.bytes)}
              {totals.sampleRates.length > 0 && ` · ${totals.sampleRates.map((rate) => rate / 1000).join(", ")} kHz`}
            </Text>
          )}
        </div>
        <Group gap={4} wrap="nowrap">
          {totals?.isRunning ? (
            <Button size="compact-xs" variant="default" onClick={() => scan?.controller.abort()}>Stop</Button>
          ) : (
            <ActionIcon variant="subtle" color="gray" aria-label={`Scan ${folder} again`} onClick={() => scans.again(folder)}><RotateCcw size={15} /></ActionIcon>
          )}
          <ActionIcon variant="subtle" color="gray" aria-label={`Leave ${folder} out`} onClick={onRemove}><X size={16} /></ActionIcon>
        </Group>
      </Group>
      {totals?.isRunning && <Progress value={100} animated size="xs" mt={8} aria-label={`Scanning ${folder}`} />}
      <ErrorNotice error={totals?.error} title="The folder was not scanned to its end" retry={() => scans.again(folder)} />
      {totals && totals.count > 0 && (
        <Group gap={4} mt={6}>
          <Button size="compact-xs" variant="subtle" onClick={files.toggle} aria-expanded={filesOpen}>{filesOpen ? "Hide files" : "Show files"}</Button>
          {totals.problems.length > 0 && <Button size="compact-xs" variant="subtle" color="orange" onClick={problems.toggle} aria-expanded={problemsOpen}>{formatCount(totals.problems.length)} {totals.problems.length === 1 ? "problem" : "problems"}</Button>}
        </Group>
      )}
      <Collapse expanded={problemsOpen}>
        <div className="problem-list">
          {totals?.problems.slice(0, 200).map(({ path, reason }) => <Text key={path} size="xs" className="path"><b>{fileName(path)}</b> {reason}</Text>)}
        </div>
      </Collapse>
      {filesOpen && scan && <FileList scan={scan} />}
    </Paper>
  );
}

function FileList({ scan }: { scan: FolderScan }) {
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({ count: scan.files.length, getScrollElement: () => scroller.current, estimateSize: () => 26, overscan: 10 });
  return (
    <div ref={scroller} className="file-list" tabIndex={0} role="list" aria-label="Files">
      <div style={{ height: rows.getTotalSize(), position: "relative" }}>
        {rows.getVirtualItems().map(({ index, start }) => {
          const file = scan.files[index];
          return file && (
            <div key={file.path} role="listitem" className="file-row" style={{ transform: `translateY(${start}px)` }} title={file.path}>
              <span>{fileName(file.path)}</span>
              <span className="quiet">{file.durationSeconds === null ? "unreadable" : formatDuration(file.durationSeconds)}</span>
            </div>
          );
        })}
      </div>
    </div>
  );
}
