import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readWindowState, writeWindowState } from "./window-state.js";

const SCREEN = { x: 0, y: 0, width: 1920, height: 1080 };
const BOUNDS = { x: 10, y: 20, width: 1280, height: 800 };
const file = () => join(mkdtempSync(join(tmpdir(), "window-")), "window.json");

it("comes back as it was written", () => {
  const path = file();
  writeWindowState(path, { bounds: BOUNDS, isMaximized: true });
  expect(readWindowState(path, [SCREEN])).toEqual({ bounds: BOUNDS, isMaximized: true });
});

it("forgets a place that no screen shows", () => {
  const path = file();
  writeWindowState(path, { bounds: { ...BOUNDS, x: 2500 }, isMaximized: false });
  expect(readWindowState(path, [SCREEN]).bounds).toBeNull();
});

it.each(["", "null", "{", '{"bounds": {"x": "a"}}'])("takes %j for nothing", (text) => {
  const path = file();
  writeFileSync(path, text);
  expect(readWindowState(path, [SCREEN])).toEqual({ bounds: null, isMaximized: false });
});
