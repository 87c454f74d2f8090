// What goes into a bug report, as text.
import type { Health } from "../../../generated/contract.js";
import type { AppDescription } from "../../../shared/api.js";

export interface Fact {
  name: string;
  value: string;
}

/** Versions of everything that takes part; the browser's own where there is no Electron. */
export function versionFacts(description: AppDescription, health: Health | undefined, userAgent: string): ReadonlyArray<Fact> {
  const parts = Object.entries(description.versions).map(([name, value]) => ({ name, value }));
  const browser = description.host === "browser" ? [{ name: "browser", value: userAgent }] : [];
  const sidecar = { name: "sidecar", value: health ? `${health.version}${health.frozen ? "" : " (from its source)"}` : "not running" };
  return [{ name: "app", value: description.version }, sidecar, ...parts.filter(({ name }) => name !== "app" && name !== "sidecar"), ...browser, { name: "system", value: description.platform }];
}

/** Everything that a bug report needs, in one piece. */
export function bugReport(facts: ReadonlyArray<Fact>, health: Health | undefined, log: ReadonlyArray<string>): string {
  const state = health ? [`environment: ${health.environment.status}`, `jobs: ${health.jobs.running} running, ${health.jobs.queued} queued`] : [];
  return [...facts.map(({ name, value }) => `${name}: ${value}`), ...state, "", "Log:", ...log].join("\n");
}
