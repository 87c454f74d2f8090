// Tests beside their modules. Those of the renderer that need a page say `// @vitest-environment jsdom`.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [react()],
  test: { include: ["src/**/*.test.{ts,tsx}"], reporters: ["default"] },
});
