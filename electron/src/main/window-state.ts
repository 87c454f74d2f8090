// Where the window stood last, kept on disk; a place that no screen shows any more is forgotten.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface WindowState {
  bounds: Rectangle | null;
  isMaximized: boolean;
}

const NOTHING: WindowState = { bounds: null, isMaximized: false };

/** The state on disk, without bounds where less than a handle of the window would be seen on any screen. */
export function readWindowState(path: string, screens: ReadonlyArray<Rectangle>): WindowState {
  try {
    const found = JSON.parse(readFileSync(path, "utf8")) as Partial<WindowState> | null;
    const bounds = found?.bounds;
    const isShown = isRectangle(bounds) && screens.some((screen) => isReachable(bounds, screen));
    return { bounds: isShown ? bounds : null, isMaximized: found?.isMaximized === true };
  } catch {
    return NOTHING;
  }
}

export function writeWindowState(path: string, state: WindowState): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify(state));
}

function isRectangle(value: unknown): value is Rectangle {
  if (typeof value !== "object" || value === null) return false;
  const { x, y, width, height } = value as Record<string, unknown>;
  return [x, y, width, height].every(Number.isFinite) && Number(width) >= 400 && Number(height) >= 300;
}

function isReachable(bounds: Rectangle, screen: Rectangle): boolean {
  const across = Math.min(bounds.x + bounds.width, screen.x + screen.width) - Math.max(bounds.x, screen.x);
  return across >= 100 && bounds.y >= screen.y && bounds.y <= screen.y + screen.height - 50;
}
