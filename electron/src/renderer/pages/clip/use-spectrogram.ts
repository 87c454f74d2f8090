// The spectrogram of what is shown: the newest request wins, the one before stays in sight until it is answered.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useDebouncedValue } from "@mantine/hooks";
import { useMemo } from "react";
import type { Clip } from "../../../generated/contract.js";
import { call } from "../../api/client.js";
import { spectrogramOf } from "./clip-view.js";
import type { Look, Stretch } from "./clip-view.js";

const DEBOUNCE_MS = 60;

export interface Size {
  width: number;
  height: number;
}

export interface Drawn {
  clip: Clip;
  address: string;
}

export function useSpectrogram(path: string, stretch: Stretch, look: Look, size: Size) {
  const { width, height } = size;
  // One object as long as nothing changes: what is debounced is compared by identity.
  const now = useMemo(() => ({ path, stretch, spectrogram: spectrogramOf(look, Math.min(2000, width), Math.min(1200, height)) }), [path, stretch, look, width, height]);
  const [wanted] = useDebouncedValue(now, DEBOUNCE_MS, { leading: true });
  return useQuery({
    queryKey: ["spectrogram", wanted],
    enabled: Boolean(wanted.spectrogram.widthPixels && wanted.spectrogram.heightPixels),
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    gcTime: 60_000,
    queryFn: async ({ signal }): Promise<Drawn> => {
      const { stretch: { start, end }, spectrogram } = wanted;
      const clip = await call("audio/clip", { path: wanted.path, startSeconds: start, endSeconds: end, spectrogram, include: ["spectrogram"], delivery: "inline" }, { signal });
      if (clip.spectrogram?.kind !== "inline") throw new Error("There is no spectrogram in the answer.");
      return { clip, address: `data:${clip.spectrogram.mime};base64,${clip.spectrogram.base64}` };
    },
  });
}
