// Scans of the chosen folders: streamed, counted as they come, kept outside React so that 100,000 files cost nothing.
import { useSyncExternalStore } from "react";
import type { ScannedFile, SkippedPath } from "../../../generated/contract.js";
import { call } from "../../api/client.js";

const REDRAW_MS = 200;

export interface ScanTotals {
  isRunning: boolean;
  count: number;
  bytes: number;
  seconds: number;
  /** Recordings that are not as their names say, and paths that were left out. */
  problems: ReadonlyArray<SkippedPath>;
  sampleRates: ReadonlyArray<number>;
  error: unknown;
}

export interface FolderScan {
  files: ScannedFile[];
  totals: ScanTotals;
  controller: AbortController;
}

export const NOTHING: ScanTotals = { isRunning: true, count: 0, bytes: 0, seconds: 0, problems: [], sampleRates: [], error: null };

class Scans {
  private readonly scans = new Map<string, FolderScan>();
  private readonly listeners = new Set<() => void>();
  private timer: number | null = null;
  version = 0;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  of(folder: string): FolderScan | undefined {
    return this.scans.get(folder);
  }

  /** Scan these folders, and forget all others. */
  keep(folders: ReadonlyArray<string>): void {
    for (const [folder, scan] of this.scans) {
      if (folders.includes(folder)) continue;
      scan.controller.abort();
      this.scans.delete(folder);
    }
    for (const folder of folders) if (!this.scans.has(folder)) void this.scan(folder);
  }

  again(folder: string): void {
    this.scans.get(folder)?.controller.abort();
    void this.scan(folder);
  }

  private async scan(folder: string): Promise<void> {
    const scan: FolderScan = { files: [], totals: NOTHING, controller: new AbortController() };
    this.scans.set(folder, scan);
    this.redraw();
    try {
      const onRows = (rows: ReadonlyArray<unknown>) => this.add(scan, rows as ReadonlyArray<ScannedFile>);
      const { skipped } = await call("folders/scan", { folder, probe: true }, { signal: scan.controller.signal, onRows });
      scan.totals = { ...scan.totals, isRunning: false, problems: [...scan.totals.problems, ...skipped] };
    } catch (error) {
      scan.totals = { ...scan.totals, isRunning: false, error: scan.controller.signal.aborted ? new Error("The scan was stopped.") : error };
    }
    this.redraw();
  }

  private add(scan: FolderScan, rows: ReadonlyArray<ScannedFile>): void {
    for (const row of rows) scan.files.push(row);
    scan.totals = addRows(scan.totals, rows);
    this.redraw();
  }

  /** At most five times a second. */
  private redraw(): void {
    this.timer ??= window.setTimeout(() => {
      this.timer = null;
      this.version += 1;
      for (const listener of this.listeners) listener();
    }, REDRAW_MS);
  }
}

/** The totals with more rows. */
export function addRows(totals: ScanTotals, rows: ReadonlyArray<ScannedFile>): ScanTotals {
  const rates = new Set(totals.sampleRates);
  const problems = [...totals.problems];
  let { bytes, seconds } = totals;
  for (const row of rows) {
    bytes += row.sizeBytes;
    seconds += row.durationSeconds ?? 0;
    if (row.sampleRate !== null) rates.add(row.sampleRate);
    if (row.problem !== null) problems.push({ path: row.path, reason: row.problem });
  }
  return { ...totals, count: totals.count + rows.length, bytes, seconds, problems, sampleRates: [...rates].sort((a, b) => a - b) };
}

export const scans = new Scans();

/** Redraws whoever uses it as scans go on. */
export function useScans(): number {
  return useSyncExternalStore(scans.subscribe, () => scans.version);
}
