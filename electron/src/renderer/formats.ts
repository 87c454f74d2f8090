// Numbers as people read them.
const BYTES = ["B", "kB", "MB", "GB", "TB"] as const;

/** "3.4 MB", in powers of 1000. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(BYTES.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${value.toFixed(power === 0 || value >= 100 ? 0 : 1)} ${BYTES[power]}`;
}

/** "4.2 s", "3 min 05 s", "2 h 10 min", "12.5 days" of seconds. */
export function formatDuration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${pad(Math.floor(seconds % 60))} s`;
  if (seconds < 100 * 3600) return `${Math.floor(seconds / 3600)} h ${pad(Math.floor((seconds % 3600) / 60))} min`;
  return `${(seconds / 86400).toFixed(1)} days`;
}

/** "1:02:03.5": a place in a recording, of seconds. */
export function formatClock(seconds: number, decimals = 1): string {
  const sign = seconds < 0 ? "-" : "";
  const tenths = 10 ** decimals;
  const whole = Math.round(Math.abs(seconds) * tenths) / tenths;
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  const rest = (whole % 60).toFixed(decimals).padStart(decimals ? 3 + decimals : 2, "0");
  return hours > 0 ? `${sign}${hours}:${pad(minutes)}:${rest}` : `${sign}${minutes}:${rest}`;
}

/** "10,240". */
export function formatCount(count: number): string {
  return count.toLocaleString("en-GB");
}

/** A score with as many digits as tell it from others: "0.874", "13.2", "1.3e-12". */
export function formatScore(score: number | null): string {
  if (score === null) return "–";
  const size = Math.abs(score);
  if (size !== 0 && (size < 0.001 || size >= 1e6)) return score.toExponential(1);
  return size < 10 ? score.toFixed(3) : score.toFixed(1);
}

/** The last part of a path. */
export function fileName(path: string): string {
  return path.split(/[/\\]/).filter(Boolean).at(-1) ?? path;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
