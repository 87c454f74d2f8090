// What scans found, summed up. A recording that two choices reach counts once.
import type { Scan, ScannedFile } from "../../../generated/contract.js";

export interface FileProblem {
  path: string;
  reason: string;
}

export interface ScanTotals {
  count: number;
  bytes: number;
  seconds: number;
  /** How many files' length is known. */
  probed: number;
  problems: ReadonlyArray<FileProblem>;
}

export const NOTHING_SCANNED: ScanTotals = { count: 0, bytes: 0, seconds: 0, probed: 0, problems: [] };

/** Grows with the rows of a scan; `files` holds each recording once, in the order found. */
export class Found {
  readonly files: ScannedFile[] = [];
  private readonly known = new Set<string>();
  private readonly skipped = new Map<string, string>();
  private bytes = 0;
  private seconds = 0;
  private probed = 0;

  add(rows: ReadonlyArray<ScannedFile>): void {
    for (const file of rows) {
      if (this.known.has(file.path)) continue;
      this.known.add(file.path);
      this.files.push(file);
      this.bytes += file.sizeBytes;
      if (file.durationSeconds === null) continue;
      this.seconds += file.durationSeconds;
      this.probed += 1;
    }
  }

  skip(skipped: Scan["skipped"]): void {
    for (const { path, reason } of skipped) this.skipped.set(path, reason);
  }

  totals(): ScanTotals {
    const { bytes, seconds, probed } = this;
    return { count: this.files.length, bytes, seconds, probed, problems: this.problems() };
  }

  private problems(): FileProblem[] {
    const found = [...this.skipped].map(([path, reason]) => ({ path, reason }));
    for (const { path, problem } of this.files) if (problem !== null) found.push({ path, reason: problem });
    return found;
  }
}
