// Pages as hashes: "#/explore?path=...". The address is the page's whole memory, so that a restart shows it again.
import { useMemo, useSyncExternalStore } from "react";

export const PAGES = ["environment", "run", "jobs", "explore", "clip", "settings", "help"] as const;
export type PageName = (typeof PAGES)[number];

export interface Route {
  page: PageName;
  params: URLSearchParams;
}

export function addressOf(page: PageName, params: Record<string, string | number | null | undefined> = {}): string {
  const given = Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `#/${page}${query ? `?${query}` : ""}`;
}

/** Show a page. `replace` keeps the history as it is, for what the user did not mean as a step. */
export function go(page: PageName, params: Parameters<typeof addressOf>[1] = {}, { replace = false } = {}): void {
  const address = addressOf(page, params);
  if (!replace) {
    window.location.hash = address;
    return;
  }
  window.history.replaceState(null, "", address);
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

export function parseHash(hash: string): Route | null {
  const [name = "", query = ""] = hash.replace(/^#\//, "").split("?", 2);
  const page = PAGES.find((known) => known === name);
  return page ? { page, params: new URLSearchParams(query) } : null;
}

/** The page that the address names, or null where it names none. */
export function useRoute(): Route | null {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash);
  return useMemo(() => parseHash(hash), [hash]);
}

function subscribe(listener: () => void): () => void {
  window.addEventListener("hashchange", listener);
  return () => window.removeEventListener("hashchange", listener);
}
