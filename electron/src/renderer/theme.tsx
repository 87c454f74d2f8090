// Colours and type, light and dark.
import { Anchor, createTheme, MantineProvider } from "@mantine/core";
import type { MantineColorsTuple } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import type { ReactNode } from "react";

const river: MantineColorsTuple = [
  "#e8f6f6", "#d3eaea", "#a6d5d5", "#76bfbf", "#4fadad", "#36a2a2", "#1f8a8b", "#0f7374", "#066061", "#004a4b",
];
const slate: MantineColorsTuple = [
  "#d5dade", "#a9b2ba", "#8d98a2", "#5f6b76", "#38424c", "#2a333b", "#1d242b", "#151b21", "#10151a", "#0a0e12",
];

const theme = createTheme({
  primaryColor: "river",
  primaryShade: 7,
  autoContrast: true,
  colors: { river, dark: slate },
  fontFamily: "'Inter Variable', system-ui, sans-serif",
  headings: { fontFamily: "'Inter Variable', system-ui, sans-serif", fontWeight: "620" },
  defaultRadius: "md",
  cursorType: "pointer",
  focusRing: "auto",
  respectReducedMotion: true,
  // Links in sentences are told by more than their colour.
  components: { Anchor: Anchor.extend({ defaultProps: { underline: "always" } }) },
});

interface Properties {
  children: ReactNode;
  scheme?: "auto" | "light" | "dark";
}

export function ThemeProvider({ children, scheme = "auto" }: Properties) {
  return (
    <MantineProvider theme={theme} {...(scheme === "auto" ? { defaultColorScheme: "auto" as const } : { forceColorScheme: scheme })}>
      <Notifications position="bottom-right" />
      {children}
    </MantineProvider>
  );
}
