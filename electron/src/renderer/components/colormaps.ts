// The colours of spectrograms by their names for people.
import type { Colormap } from "../../shared/api.js";

export const COLORMAPS: ReadonlyArray<{ value: Colormap; label: string }> = [
  { value: "magma", label: "Magma" },
  { value: "viridis", label: "Viridis" },
  { value: "inferno", label: "Inferno" },
  { value: "plasma", label: "Plasma" },
  { value: "turbo", label: "Turbo" },
  { value: "greys", label: "Grey, loud is dark" },
  { value: "greys_r", label: "Grey, loud is bright" },
];
