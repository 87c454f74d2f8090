// The picture with its axes; a drag selects a stretch, a click plays from there, the wheel zooms.
import { useElementSize } from "@mantine/hooks";
import { useState } from "react";
import type { CSSProperties, PointerEvent, WheelEvent } from "react";
import type { Clip } from "../../../generated/contract.js";
import { ErrorNotice } from "../../components/error-notice.js";
import { PlayCursor } from "../../components/play-cursor.js";
import { frequencyTicks, timeTicks } from "./axes.js";
import { zoomed } from "./clip-view.js";
import type { Look, Stretch } from "./clip-view.js";
import { useSpectrogram } from "./use-spectrogram.js";

const DRAG_FRACTION = 0.01;

interface Properties {
  path: string;
  stretch: Stretch;
  detection: Stretch;
  look: Look;
  isPlaying: boolean;
  onShow: (stretch: Stretch) => void;
  onSeek: (position: number) => void;
}

export function Spectrogram({ path, stretch, detection, look, isPlaying, onShow, onSeek }: Properties) {
  const { ref, width, height } = useElementSize();
  const { data, error, isFetching, refetch } = useSpectrogram(path, stretch, look, { width: Math.round(width), height: Math.round(height) });
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  const range = data?.clip.frequencyRangeHz ?? null;
  const length = stretch.end - stretch.start;
  const placeOf = (event: PointerEvent | WheelEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const begin = (event: PointerEvent) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    setDrag({ from: placeOf(event), to: placeOf(event) });
  };
  const end = () => {
    if (!drag) return;
    setDrag(null);
    const [low, high] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
    if (high - low < DRAG_FRACTION) onSeek(low);
    else onShow({ start: stretch.start + low * length, end: stretch.start + high * length });
  };
  return (
    <div className="spectrogram" aria-busy={isFetching}>
      <div className="axis axis-y" aria-hidden>
        {range && frequencyTicks(range, look.scale).map(({ place, label }) => <span key={label} style={{ bottom: `${place * 100}%` }}>{label}</span>)}
      </div>
      <div
        ref={ref}
        className="spectrogram-picture"
        onPointerDown={begin}
        onPointerMove={(event) => drag && setDrag({ ...drag, to: placeOf(event) })}
        onPointerUp={end}
        onPointerCancel={() => setDrag(null)}
        onWheel={(event) => onShow(zoomed(stretch, event.deltaY > 0 ? 1.25 : 0.8, stretch.start + placeOf(event) * length))}
      >
        {data && <img src={data.address} alt={`Spectrogram from ${stretch.start.toFixed(2)} to ${stretch.end.toFixed(2)} s`} draggable={false} style={placed(data.clip, stretch)} />}
        <Marked stretch={stretch} detection={detection} />
        {drag && <div className="selection" style={{ left: `${Math.min(drag.from, drag.to) * 100}%`, width: `${Math.abs(drag.to - drag.from) * 100}%` }} />}
        {isPlaying && <PlayCursor />}
        {error && <div className="spectrogram-error"><ErrorNotice error={error} title="There is no spectrogram" retry={() => void refetch()} /></div>}
      </div>
      <div className="axis axis-x" aria-hidden>
        {timeTicks([stretch.start, stretch.end]).map(({ place, label }) => <span key={label} style={{ left: `${place * 100}%` }}>{label}</span>)}
      </div>
    </div>
  );
}

/** A picture stands where its own times are, so that what was drawn before moves along until the new one is there. */
function placed({ startSeconds, endSeconds }: Clip, stretch: Stretch): CSSProperties {
  const length = stretch.end - stretch.start;
  return { left: `${((startSeconds - stretch.start) / length) * 100}%`, width: `${((endSeconds - startSeconds) / length) * 100}%` };
}

/** Where the detection begins and ends. */
function Marked({ stretch, detection }: { stretch: Stretch; detection: Stretch }) {
  const length = stretch.end - stretch.start;
  const [left, right] = [(detection.start - stretch.start) / length, (detection.end - stretch.start) / length];
  if (right <= 0 || left >= 1 || (left <= 0 && right >= 1)) return null;
  const [from, to] = [Math.max(0, left), Math.min(1, right)];
  return <div className="marked" style={{ left: `${from * 100}%`, width: `${(to - from) * 100}%` }} aria-hidden />;
}
