// The detections of a view, fetched a chunk at a time as they are looked at.
import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { call } from "../../api/client.js";
import { isSample } from "./view.js";
import type { View } from "./view.js";

const CHUNK = 120;
const SAMPLE_COUNT = 120;
const WHOLE_FILE_SECONDS = 5;

/** A clip to show. `row` is its row in the table. */
export interface Found {
  row: number;
  path: string;
  startSeconds: number;
  endSeconds: number;
  className: string;
  score: number | null;
}

export interface Detections {
  /** How many can be scrolled through. */
  count: number;
  /** How many are in range; a sample shows some of them. */
  total: number;
  at: (index: number) => Found | undefined;
  /** Fetch what is needed to show these. */
  want: (first: number, last: number) => void;
  error: unknown;
  isPending: boolean;
}

export function useDetections(scoresId: string, view: View): Detections {
  const sampled = useSample(scoresId, view);
  const paged = usePages(scoresId, view);
  return isSample(view.order) ? sampled : paged;
}

function useSample(scoresId: string, view: View): Detections {
  const { className, scoreRange, order, seed, groupBy } = view;
  const query = useQuery({
    queryKey: ["sample", scoresId, className, scoreRange, order, seed, groupBy],
    enabled: isSample(order),
    queryFn: ({ signal }) => {
      const strategy = isSample(order) ? order : "top";
      return call("detections/sample", { scoresId, class: className, scoreRange, strategy, seed, groupBy, count: SAMPLE_COUNT, secondsWhenWholeFile: WHOLE_FILE_SECONDS }, { signal });
    },
  });
  const found = query.data?.detections;
  const at = useCallback((index: number) => found?.[index] && { ...found[index], className }, [found, className]);
  return { count: found?.length ?? 0, total: query.data?.total ?? 0, at, want: nothing, error: query.error, isPending: query.isPending };
}

interface Pages {
  key: string;
  total: number | null;
  rows: Map<number, Found>;
  asked: Map<number, AbortController>;
  error: unknown;
}

function usePages(scoresId: string, view: View): Detections {
  const key = JSON.stringify([scoresId, view.className, view.scoreRange, view.order]);
  const [, redraw] = useState(0);
  const pages = useRef<Pages>(emptyPages(key));
  if (pages.current.key !== key) {
    abortAll(pages.current);
    pages.current = emptyPages(key);
  }
  const want = useCallback(
    (first: number, last: number) => {
      if (isSample(view.order)) return;
      const current = pages.current;
      for (let chunk = Math.floor(Math.max(0, first) / CHUNK); chunk <= Math.floor(last / CHUNK); chunk += 1) {
        if (current.asked.has(chunk) || (current.total !== null && chunk * CHUNK >= current.total)) continue;
        fetchChunk(current, chunk, scoresId, view).then(() => redraw((count) => count + 1), nothing);
      }
    },
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `key` stands for the view
    [key],
  );
  useEffect(() => want(0, 0), [want]);
  useEffect(() => () => abortAll(pages.current), []);
  const { current } = pages;
  const at = useCallback((index: number) => pages.current.rows.get(index), []);
  return { count: current.total ?? 0, total: current.total ?? 0, at, want, error: current.error, isPending: current.total === null && current.error === null };
}

async function fetchChunk(pages: Pages, chunk: number, scoresId: string, view: View): Promise<void> {
  const controller = new AbortController();
  pages.asked.set(chunk, controller);
  const { className, scoreRange, order } = view;
  const sort = order === "recording" ? "path" : "score";
  const params = { scoresId, class: className, scoreRange, sort, descending: order === "highest", offset: chunk * CHUNK, limit: CHUNK } as const;
  try {
    const page = await call("scores/page", params, { signal: controller.signal });
    pages.total = page.total;
    page.rows.forEach((row, index) => {
      const isWholeFile = row.startSeconds === 0 && row.endSeconds === 0;
      pages.rows.set(chunk * CHUNK + index, { ...row, className: row.class, endSeconds: isWholeFile ? WHOLE_FILE_SECONDS : row.endSeconds });
    });
  } catch (error) {
    if (!controller.signal.aborted) pages.error = error;
  }
}

function emptyPages(key: string): Pages {
  return { key, total: null, rows: new Map(), asked: new Map(), error: null };
}

/** What is under way is not wanted any more; what was aborted may be asked for again. */
function abortAll(pages: Pages): void {
  for (const controller of pages.asked.values()) controller.abort();
  pages.asked.clear();
}

function nothing(): void {}
