import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { DEFAULT_SETTINGS } from "../shared/api.js";
import type { Settings } from "../shared/api.js";
import { SettingsStore } from "./settings.js";

const file = () => join(mkdtempSync(join(tmpdir(), "settings-")), "settings.json");

it("begins with the defaults, and keeps what is chosen", () => {
  const path = file();
  const settings = new SettingsStore(path);
  expect(settings.read()).toEqual(DEFAULT_SETTINGS);
  const told: Settings[] = [];
  settings.onChange((changed) => told.push(changed));
  settings.write({ theme: "dark", decibelRange: [-80, -20] });
  expect(told).toEqual([{ ...DEFAULT_SETTINGS, theme: "dark", decibelRange: [-80, -20] }]);
  expect(new SettingsStore(path).read()).toEqual(told[0]);
  expect(existsSync(`${path}.new`)).toBe(false);
});

it.each(['{"theme": "da', "", "\0\0\0"])("keeps the damaged file %j aside", (damaged) => {
  const path = file();
  writeFileSync(path, damaged);
  const said: string[] = [];
  expect(new SettingsStore(path, (message) => said.push(message)).read()).toEqual(DEFAULT_SETTINGS);
  expect(readFileSync(`${path}.broken`, "utf8")).toBe(damaged);
  expect(said[0]).toContain(path);
});

it.each(["null", "[]", "7"])("takes %s for nothing", (text) => {
  const path = file();
  writeFileSync(path, text);
  expect(new SettingsStore(path).read()).toEqual(DEFAULT_SETTINGS);
});

it("drops what is unknown or not as it should be", () => {
  const path = file();
  const wrong = { theme: "pink", cardsPerPage: 1e9, python: 3, decibelRange: [0, -90], recents: { scores: [7] }, lastPage: "http://x", __proto__x: 1 };
  writeFileSync(path, JSON.stringify({ ...wrong, colormap: "greys" }));
  expect(new SettingsStore(path).read()).toEqual({ ...DEFAULT_SETTINGS, colormap: "greys" });
});

it("keeps the ten newest of what was opened, each once", () => {
  const settings = new SettingsStore(file());
  for (let number = 0; number < 12; number++) settings.addRecent("scores", `/data/${number}.csv`);
  settings.addRecent("scores", "/data/5.csv");
  const { scores } = settings.read().recents;
  expect(scores).toHaveLength(10);
  expect(scores.slice(0, 2)).toEqual(["/data/5.csv", "/data/11.csv"]);
  expect(new Set(scores).size).toBe(10);
});
