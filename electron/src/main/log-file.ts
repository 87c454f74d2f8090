// The app's log: lines of the sidecar's stderr and our own, in a file that does not grow without end.
import { appendFileSync, mkdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";

const MAX_BYTES = 5_000_000;
const FORGOTTEN = ["ENOENT"];

export class LogFile {
  constructor(
    readonly path: string,
    private readonly maxBytes: number = MAX_BYTES,
  ) {
    mkdirSync(dirname(path), { recursive: true });
  }

  /** Add text as it is. A log that cannot be written must not stop the app. */
  write(text: string): void {
    try {
      if (this.size() > this.maxBytes) renameSync(this.path, `${this.path}.1`);
      appendFileSync(this.path, text);
    } catch (error) {
      process.stderr.write(`log: ${String(error)}\n${text}`);
    }
  }

  /** A line of our own, with the time. */
  say(message: string): void {
    this.write(`${new Date().toISOString()} app ${message}\n`);
  }

  /** The last lines, the oldest first. */
  tail(lines: number): ReadonlyArray<string> {
    try {
      return readFileSync(this.path, "utf8").split("\n").slice(0, -1).slice(-lines);
    } catch (error) {
      if (FORGOTTEN.includes((error as NodeJS.ErrnoException).code ?? "")) return [];
      throw error;
    }
  }

  private size(): number {
    return statSync(this.path, { throwIfNoEntry: false })?.size ?? 0;
  }
}
