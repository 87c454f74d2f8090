// Where the renderer begins.
import "@fontsource-variable/inter";
import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "./styles.css";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.js";
import { loadStart, StartProvider, useSurroundings } from "./api/start.js";
import { ThemeProvider } from "./theme.js";
import { ErrorNotice } from "./components/error-notice.js";

const container = document.getElementById("root");
if (container === null) throw new Error("index.html has no #root");
const root = createRoot(container);
const queries = new QueryClient({ defaultOptions: { queries: { retry: false, refetchOnWindowFocus: false } } });

function ThemedApp() {
  const { settings } = useSurroundings();
  return (
    <ThemeProvider scheme={settings.theme}>
      <App />
    </ThemeProvider>
  );
}

try {
  const start = await loadStart();
  root.render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <StartProvider start={start}>
          <ThemedApp />
        </StartProvider>
      </QueryClientProvider>
    </StrictMode>,
  );
} catch (error) {
  root.render(
    <ThemeProvider scheme="light">
      <ErrorNotice error={error} title="The app could not start" />
    </ThemeProvider>,
  );
}
