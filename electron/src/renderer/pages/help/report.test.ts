import { expect, test } from "vitest";
import type { Health } from "../../../generated/contract.js";
import type { AppDescription } from "../../../shared/api.js";
import { bugReport, versionFacts } from "./report.js";

const DESCRIPTION: AppDescription = {
  version: "1.2.3", host: "browser", platform: "linux", home: "/home/a", dataFolder: "/home/a/data", logFile: "/home/a/log",
  roots: ["/home/a"], versions: { node: "22.1.0" }, sidecar: { kind: "starting" },
};
const HEALTH: Health = {
  status: "ok", version: "4.5.6", pid: 1, uptimeSeconds: 1, frozen: true, memoryBytes: 1, capabilities: [],
  environment: { status: "missing" }, jobs: { running: 2, queued: 1 },
};

test("a bug report names the versions, the states and the log", () => {
  const text = bugReport(versionFacts(DESCRIPTION, HEALTH, "A Browser/9"), HEALTH, ["first line", "last line"]);
  expect(text.split("\n")).toEqual([
    "app: 1.2.3", "sidecar: 4.5.6", "node: 22.1.0", "browser: A Browser/9", "system: linux",
    "environment: missing", "jobs: 2 running, 1 queued", "", "Log:", "first line", "last line",
  ]);
});

test("a sidecar that does not run can be reported too, and Electron needs no browser's name", () => {
  const facts = versionFacts({ ...DESCRIPTION, host: "electron" }, undefined, "A Browser/9");
  expect(facts).toContainEqual({ name: "sidecar", value: "not running" });
  expect(facts.map(({ name }) => name)).not.toContain("browser");
});
