// An open score table: its classes on the left, the chosen class's scores and detections on the right.
import { Alert, Button, Collapse, Group, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { FolderSearch } from "lucide-react";
import { useMemo } from "react";
import type { ScoreTable } from "../../../generated/contract.js";
import { ErrorNotice } from "../../components/error-notice.js";
import { usePathPicker } from "../../components/path-picker.js";
import { Waiting } from "../../components/waiting.js";
import { fileName, formatCount } from "../../formats.js";
import { go } from "../../routing.js";
import { ClassList } from "./class-list.js";
import { useDetections } from "./detections.js";
import { DetectionGrid } from "./detection-grid.js";
import { ExportMenu } from "./export-menu.js";
import { ScoreHistogram } from "./score-histogram.js";
import { isTableGone, useScoreTable } from "./use-score-table.js";
import { ViewControls } from "./view-controls.js";
import { parseView, viewParams } from "./view.js";
import type { View } from "./view.js";

interface Properties {
  path: string;
  params: URLSearchParams;
}

export function ScoreExplorer({ path, params }: Properties) {
  const audioRoot = params.get("audio");
  const { table, error, progress, reload } = useScoreTable(path, audioRoot);
  if (error) {
    return (
      <div className="page">
        <ErrorNotice error={error} title={`${fileName(path)} cannot be opened`} retry={reload}>
          <Button size="xs" variant="default" onClick={() => go("explore")}>Open another</Button>
        </ErrorNotice>
      </div>
    );
  }
  if (!table) return <Waiting text={`Opening ${fileName(path)}`} progress={progress} />;
  return <OpenTable table={table} path={path} params={params} reload={reload} />;
}

function OpenTable({ table, path, params, reload }: Properties & { table: ScoreTable; reload: () => void }) {
  const classes = useMemo(() => [...table.classes].sort((a, b) => (b.max ?? -Infinity) - (a.max ?? -Infinity)), [table]);
  const audio = params.get("audio");
  const view = parseView(params, classes[0]?.name ?? "");
  const show = (changes: Partial<View>) => go("explore", { path, audio, ...viewParams({ ...view, ...changes }) }, { replace: true });
  const detections = useDetections(table.scoresId, view);
  const gone = isTableGone(detections.error);
  return (
    <div className="page full explorer">
      <aside className="explorer-classes" aria-label="Classes">
        <ClassList classes={table.classes} chosen={view.className} onChoose={(className) => show({ className, scoreRange: null })} />
      </aside>
      <section className="explorer-main" aria-label="Detections">
        <header className="explorer-header">
          <Group justify="space-between" wrap="nowrap" align="flex-start" gap="md">
            <div style={{ minWidth: 0 }}>
              <h1 className="explorer-title">{view.className || fileName(path)}</h1>
              <Text size="sm" className="quiet" truncate title={path}>
                {fileName(path)} · {table.format} · {formatCount(table.fileCount)} recordings · {formatCount(table.rowCount)} clips
              </Text>
            </div>
            <Group gap="xs" wrap="nowrap">
              <LocateRecordings path={path} />
              <Button variant="default" size="xs" onClick={() => go("explore")}>Open another</Button>
              <ExportMenu table={table} view={view} />
            </Group>
          </Group>
          <TableProblems table={table} />
          {view.className && <ScoreHistogram scoresId={table.scoresId} className={view.className} range={view.scoreRange} onRange={(scoreRange) => show({ scoreRange })} />}
          <ViewControls view={view} detections={detections} onChange={show} />
        </header>
        {detections.error ? (
          <div className="page">
            <ErrorNotice error={detections.error} title="The detections cannot be shown" {...(gone ? { retry: reload } : {})} />
          </div>
        ) : (
          <DetectionGrid key={JSON.stringify(viewParams(view))} detections={detections} />
        )}
      </section>
    </div>
  );
}

/** Rows that could not be read, recordings that are elsewhere. */
function TableProblems({ table }: { table: ScoreTable }) {
  const [isOpen, { toggle }] = useDisclosure(false);
  const missing = table.missingFileCount ?? 0;
  return (
    <>
      {table.problems.length > 0 && (
        <Alert color="yellow" variant="light" py={6} px="sm">
          <Group justify="space-between" gap="xs">
            <Text size="sm">{formatCount(table.problems.length)} {table.problems.length === 1 ? "thing" : "things"} in this table could not be read.</Text>
            <Button size="compact-xs" variant="subtle" color="gray" onClick={toggle} aria-expanded={isOpen}>{isOpen ? "Hide" : "Show"}</Button>
          </Group>
          <Collapse expanded={isOpen}>
            {table.problems.slice(0, 50).map((problem, index) => (
              <Text key={index} size="xs" className="path">{problem.row > 0 ? `Row ${problem.row}: ` : ""}{problem.message}</Text>
            ))}
          </Collapse>
        </Alert>
      )}
      {missing > 0 && <Text size="sm" c="red">{formatCount(missing)} recordings were not found in the chosen folder.</Text>}
    </>
  );
}

/** For a table that names its recordings where they were once, or on another computer. */
function LocateRecordings({ path }: { path: string }) {
  const picker = usePathPicker();
  const locate = async () => {
    const [audio] = await picker.choose({ what: "folder", title: "The folder that the recordings are in now" });
    if (audio) go("explore", { path, audio });
  };
  return (
    <>
      <Button variant="subtle" size="xs" leftSection={<FolderSearch size={15} />} onClick={() => void locate()}>Recordings elsewhere…</Button>
      {picker.dialog}
    </>
  );
}
