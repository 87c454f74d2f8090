// The frame around the pages: navigation, the sidecar's state, the page itself.
import { NavLink } from "@mantine/core";
import { AudioLines, Box, CircleHelp, ListChecks, Play, Settings } from "lucide-react";
import { lazy, Suspense, useEffect } from "react";
import type { ComponentType } from "react";
import { useSurroundings } from "./api/start.js";
import { Brand } from "./components/brand.js";
import { ErrorBoundary } from "./components/error-boundary.js";
import { SidecarNotice } from "./components/sidecar-notice.js";
import { Waiting } from "./components/waiting.js";
import { addressOf, go, parseHash, useRoute } from "./routing.js";
import type { PageName } from "./routing.js";

const PAGE: Record<PageName, ComponentType> = {
  environment: lazy(() => import("./pages/environment/environment-page.js")),
  run: lazy(() => import("./pages/run/run-page.js")),
  jobs: lazy(() => import("./pages/jobs/jobs-page.js")),
  explore: lazy(() => import("./pages/explore/explore-page.js")),
  clip: lazy(() => import("./pages/clip/clip-page.js")),
  settings: lazy(() => import("./pages/settings/settings-page.js")),
  help: lazy(() => import("./pages/help/help-page.js")),
};

const LINKS: ReadonlyArray<{ page: PageName; label: string; Icon: ComponentType<{ size?: number }> }> = [
  { page: "run", label: "New run", Icon: Play },
  { page: "jobs", label: "Jobs", Icon: ListChecks },
  { page: "explore", label: "Explore", Icon: AudioLines },
  { page: "environment", label: "Environment", Icon: Box },
  { page: "settings", label: "Settings", Icon: Settings },
  { page: "help", label: "Help", Icon: CircleHelp },
];

export function App() {
  const route = useRoute();
  useRememberedPage(route !== null);
  const Page = PAGE[route?.page ?? "run"];
  return (
    <div className="shell">
      <nav className="sidebar" aria-label="Pages">
        <Brand />
        {LINKS.map(({ page, label, Icon }) => (
          <NavLink
            key={page}
            href={addressOf(page)}
            label={label}
            active={route?.page === page || (page === "explore" && route?.page === "clip")}
            leftSection={<Icon size={18} />}
            style={{ borderRadius: "var(--mantine-radius-md)" }}
          />
        ))}
        <div className="spacer" />
        <SidecarNotice />
      </nav>
      <main style={{ minHeight: 0, minWidth: 0, height: "100%" }}>
        <ErrorBoundary key={route?.page}>
          <Suspense fallback={<Waiting text="Opening the page" />}>{route && <Page />}</Suspense>
        </ErrorBoundary>
      </main>
    </div>
  );
}

/** Begin where the user was, and keep the page in the settings. */
function useRememberedPage(isNamed: boolean): void {
  const { settings, change } = useSurroundings();
  const hash = window.location.hash;
  useEffect(() => {
    if (isNamed) return;
    const last = parseHash(settings.lastPage);
    go(last?.page ?? "run", Object.fromEntries(last?.params ?? []), { replace: true });
  }, [isNamed, settings.lastPage]);
  useEffect(() => {
    if (isNamed && hash !== settings.lastPage) void change({ lastPage: hash });
  }, [isNamed, hash, settings.lastPage, change]);
}
