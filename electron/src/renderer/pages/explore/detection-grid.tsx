// Detections as a grid of cards, scrolled without end; keys move, play and open.
import { useElementSize } from "@mantine/hooks";
import { useVirtualizer } from "@tanstack/react-virtual";
import { SearchX } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import type { KeyboardEvent } from "react";
import { player } from "../../api/player.js";
import { useSurroundings } from "../../api/start.js";
import { EmptyState } from "../../components/empty-state.js";
import { Waiting } from "../../components/waiting.js";
import { formatCount } from "../../formats.js";
import { go } from "../../routing.js";
import type { Detections, Found } from "./detections.js";
import { DetectionCard } from "./detection-card.js";
import { pictureKey, picturesFor } from "./pictures.js";
import type { Pictures } from "./pictures.js";

const CARD_PIXELS = 236;
const ROW_PIXELS = 222;
const PADDING = 24;
const PICTURE = { widthPixels: 320, heightPixels: 176 } as const;

/** How far a view was scrolled, by its address: coming back from a clip shows the same place. */
const places = new Map<string, number>();

export function DetectionGrid({ detections }: { detections: Detections }) {
  const { settings } = useSurroundings();
  const pictures = usePictures();
  const scroller = useRef<HTMLDivElement>(null);
  const { ref, width } = useElementSize();
  const columns = Math.max(1, Math.floor((width - 2 * PADDING) / CARD_PIXELS));
  const [address] = useState(() => window.location.hash);
  const [place] = useState(() => places.get(address) ?? 0);
  const rows = useVirtualizer({
    count: Math.ceil(detections.count / columns),
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PIXELS,
    overscan: 2,
    paddingStart: 4,
    paddingEnd: PADDING,
    initialOffset: place,
    useFlushSync: false, // scrolling stays smooth; cards may come a frame later
  });
  const visible = rows.getVirtualItems();
  const [first, last] = [(visible[0]?.index ?? 0) * columns, ((visible.at(-1)?.index ?? 0) + 1) * columns - 1];
  useWanted(detections, pictures, first, Math.max(2 * last - first, first + settings.cardsPerPage - 1));
  const [focused, setFocused] = useState(0);
  useEffect(() => () => player.stop(), []);
  useEffect(() => pictures.forgetFailures(), [pictures]);
  const focus = (index: number) => {
    const next = Math.min(detections.count - 1, Math.max(0, index));
    setFocused(next);
    rows.scrollToIndex(Math.floor(next / columns), { align: "auto" });
    requestAnimationFrame(() => scroller.current?.querySelector<HTMLElement>(`[data-index="${next}"]`)?.focus({ preventScroll: true }));
  };
  const onKey = (event: KeyboardEvent) => {
    const screenful = columns * Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / ROW_PIXELS));
    const found = detections.at(focused);
    const actions: Partial<Record<string, () => void>> = {
      ArrowRight: () => focus(focused + 1),
      ArrowLeft: () => focus(focused - 1),
      ArrowDown: () => focus(focused + columns),
      ArrowUp: () => focus(focused - columns),
      PageDown: () => focus(focused + screenful),
      PageUp: () => focus(focused - screenful),
      Home: () => focus(0),
      End: () => focus(detections.count - 1),
      Escape: () => player.stop(),
      o: () => found && openClip(found),
    };
    const action = event.ctrlKey || event.metaKey || event.altKey ? undefined : actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  };
  if (detections.isPending) return <Waiting text="Looking for detections" />;
  if (detections.count === 0) return <EmptyState Icon={SearchX} title="No detections here">No score of this class lies in the chosen range. Widen the range, or choose another class.</EmptyState>;
  return (
    <div ref={scroller} className="detection-scroller" onScroll={(event) => window.location.hash === address && places.set(address, event.currentTarget.scrollTop)} onKeyDown={onKey} role="grid" aria-label="Detections" aria-rowcount={Math.ceil(detections.count / columns)}>
      <div ref={ref} style={{ height: rows.getTotalSize(), position: "relative" }}>
        {width > 0 && visible.map((row) => (
          <div key={row.key} role="row" aria-rowindex={row.index + 1} className="detection-row" style={{ transform: `translateY(${row.start}px)`, gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))` }}>
            {Array.from({ length: Math.min(columns, detections.count - row.index * columns) }, (_, column) => {
              const index = row.index * columns + column;
              return <DetectionCard key={index} index={index} found={detections.at(index)} pictures={pictures} isFocusable={index === focused} onFocus={setFocused} onOpen={openClip} />;
            })}
          </div>
        ))}
      </div>
      <div className="position quiet" aria-hidden>{formatCount(Math.min(detections.count, last + 1))} / {formatCount(detections.count)}</div>
    </div>
  );
}

export function openClip(found: Found): void {
  const { path, startSeconds, endSeconds, score, className } = found;
  go("clip", { path, start: startSeconds, end: endSeconds, score, class: className, back: window.location.hash });
}

/** Those of the last settings are kept for as long as the app is open: what was seen before is shown at once. */
function usePictures(): Pictures {
  const { settings } = useSurroundings();
  const { colormap, decibelRange, frequencyRangeHz } = settings;
  return useMemo(() => picturesFor({ ...PICTURE, colormap, decibelRange, frequencyRangeHz }), [colormap, decibelRange, frequencyRangeHz]);
}

/** Fetch the rows in sight and those that come next, then draw them in this order. */
function useWanted(detections: Detections, pictures: Pictures, first: number, ahead: number): void {
  useEffect(() => {
    detections.want(first, ahead);
    const wanted: Found[] = [];
    for (let index = first; index <= Math.min(ahead, detections.count - 1); index += 1) {
      const found = detections.at(index);
      if (found && !pictures.get(pictureKey(found))) wanted.push(found);
    }
    pictures.want(wanted);
  });
}
