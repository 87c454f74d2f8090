// An open score table, kept open while somebody looks at it, and closed in the sidecar when it is forgotten here.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { QueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { Progress, ScoreTable } from "../../../generated/contract.js";
import { call, DipperError } from "../../api/client.js";
import { useSurroundings } from "../../api/start.js";

const KEPT_MS = 5 * 60_000;
const TABLE_GONE = 1017;
const watched = new WeakSet<QueryClient>();

export interface OpenTable {
  table: ScoreTable | undefined;
  error: unknown;
  progress: Progress | null;
  reload: () => void;
}

export function useScoreTable(path: string, audioRoot: string | null): OpenTable {
  const [progress, setProgress] = useState<Progress | null>(null);
  const { addRecent, sidecar } = useSurroundings();
  const queries = useQueryClient();
  closeForgotten(queries);
  // A new sidecar knows nothing of the tables that the last one had open.
  const pid = sidecar.kind === "ready" ? sidecar.pid : null;
  const query = useQuery({
    queryKey: ["scores", path, audioRoot, pid],
    queryFn: ({ signal }) => call("scores/load", { path, audioRoot }, { signal, onProgress: setProgress }),
    enabled: pid !== null,
    staleTime: Infinity,
    gcTime: KEPT_MS,
  });
  const isOpen = query.data !== undefined;
  useEffect(() => {
    if (isOpen) void addRecent("scores", path);
  }, [isOpen, path, addRecent]);
  return { table: query.data, error: query.error, progress, reload: () => void query.refetch() };
}

/** Whether an error says that the sidecar does not know the table any more. */
export function isTableGone(error: unknown): boolean {
  return error instanceof DipperError && error.code === TABLE_GONE;
}

function closeForgotten(queries: QueryClient): void {
  if (watched.has(queries)) return;
  watched.add(queries);
  queries.getQueryCache().subscribe((event) => {
    if (event.type !== "removed" || event.query.queryKey[0] !== "scores") return;
    const table = event.query.state.data as ScoreTable | undefined;
    if (table) void call("scores/close", { scoresId: table.scoresId }).catch(() => undefined);
  });
}
