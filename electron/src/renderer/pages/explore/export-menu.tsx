// Taking detections away: as a table for other programs, or as clips.
import { Button, Menu } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { Download, FileSpreadsheet, Music2 } from "lucide-react";
import { useState } from "react";
import type { ScoresExportParams, ScoreTable } from "../../../generated/contract.js";
import { call } from "../../api/client.js";
import { describe } from "../../components/error-notice.js";
import { usePathPicker } from "../../components/path-picker.js";
import { formatCount } from "../../formats.js";
import type { View } from "./view.js";

type Format = ScoresExportParams["format"];

const FORMATS: ReadonlyArray<{ format: Format; label: string; extension: string | null }> = [
  { format: "csv", label: "CSV (OpenSoundscape)", extension: "csv" },
  { format: "parquet", label: "Parquet, a row per score", extension: "parquet" },
  { format: "raven", label: "Raven selection table", extension: "txt" },
  { format: "birdnet", label: "BirdNET table", extension: "csv" },
  { format: "kaleidoscope", label: "Kaleidoscope table", extension: "csv" },
  { format: "audacity", label: "Audacity labels, a file per recording", extension: null },
];

export function ExportMenu({ table, view }: { table: ScoreTable; view: View }) {
  const picker = usePathPicker();
  const [running, setRunning] = useState<{ text: string; controller: AbortController } | null>(null);
  const part = { scoresId: table.scoresId, class: view.className, scoreRange: view.scoreRange };

  const run = async (work: (signal: AbortSignal) => Promise<string>) => {
    const controller = new AbortController();
    setRunning({ text: "Exporting", controller });
    try {
      notifications.show({ color: "teal", title: "Exported", message: await work(controller.signal) });
    } catch (error) {
      const { message, hint } = describe(error);
      notifications.show({ color: "red", title: "Nothing was exported", message: [message, hint].filter(Boolean).join(" "), autoClose: false });
    } finally {
      setRunning(null);
    }
  };
  const exportTable = async ({ format, extension }: (typeof FORMATS)[number]) => {
    const suggestion = extension ? `${view.className}.${extension}` : "";
    const [path] = await picker.choose({ what: extension ? "save" : "folder", title: "Where the table goes", suggestion });
    if (!path) return;
    await run(async (signal) => {
      const { path: written, rowCount } = await call("scores/export", { ...part, path, format, overwrite: true }, { signal });
      return `${formatCount(rowCount)} rows in ${written}`;
    });
  };
  const exportClips = async () => {
    const [folder] = await picker.choose({ what: "folder", title: "Where the clips go" });
    if (!folder) return;
    await run(async (signal) => {
      const onProgress = ({ message }: { message?: string | null }) => setRunning((before) => before && { ...before, text: message ?? before.text });
      const done = await call("detections/export", { ...part, folder, include: ["audio", "spectrogram"] }, { signal, onProgress });
      return `${formatCount(done.clipCount)} of ${formatCount(done.total)} clips in ${done.folder}${done.failed ? `; ${formatCount(done.failed)} could not be read, see the table there` : ""}`;
    });
  };
  if (running) return <Button size="xs" variant="default" onClick={() => running.controller.abort()}>{running.text} – cancel</Button>;
  return (
    <>
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <Button size="xs" leftSection={<Download size={15} />}>Export</Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>What is in range, as a table</Menu.Label>
          {FORMATS.map((format) => (
            <Menu.Item key={format.format} leftSection={<FileSpreadsheet size={15} />} onClick={() => void exportTable(format)}>{format.label}</Menu.Item>
          ))}
          <Menu.Label>As sound and pictures</Menu.Label>
          <Menu.Item leftSection={<Music2 size={15} />} onClick={() => void exportClips()}>Clips with spectrograms</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {picker.dialog}
    </>
  );
}
