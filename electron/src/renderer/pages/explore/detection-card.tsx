// A detection: its spectrogram, score, place and recording. A click plays it.
import { LoaderCircle, Maximize2, Pause, Play, TriangleAlert } from "lucide-react";
import { memo } from "react";
import { player, usePlayerKind } from "../../api/player.js";
import { PlayCursor } from "../../components/play-cursor.js";
import { fileName, formatClock, formatScore } from "../../formats.js";
import type { Found } from "./detections.js";
import { pictureKey, usePicture } from "./pictures.js";
import type { Pictures } from "./pictures.js";

interface Properties {
  index: number;
  found: Found | undefined;
  pictures: Pictures;
  isFocusable: boolean;
  onFocus: (index: number) => void;
  onOpen: (found: Found) => void;
}

export const DetectionCard = memo(function DetectionCard({ index, found, pictures, isFocusable, onFocus, onOpen }: Properties) {
  if (!found) return <div className="card" role="gridcell" aria-busy="true"><div className="card-picture card-waiting" /></div>;
  const name = fileName(found.path);
  const time = formatClock(found.startSeconds);
  const play = () => player.toggle({ key: pictureKey(found), path: found.path, startSeconds: found.startSeconds, endSeconds: found.endSeconds });
  return (
    <div className="card" role="gridcell">
      <button
        type="button"
        className="card-button"
        data-index={index}
        tabIndex={isFocusable ? 0 : -1}
        onFocus={() => onFocus(index)}
        onClick={play}
        onDoubleClick={() => onOpen(found)}
        aria-label={`Play ${found.className}, score ${formatScore(found.score)}, ${name} at ${time}`}
      >
        <CardPicture found={found} pictures={pictures} />
      </button>
      <div className="card-line">
        <span className="card-score">{formatScore(found.score)}</span>
        <span className="quiet">{time} – {formatClock(found.endSeconds)}</span>
        <button type="button" className="card-open" tabIndex={-1} title="Open (O)" aria-label={`Open ${name} at ${time}`} onClick={() => onOpen(found)}><Maximize2 size={14} /></button>
      </div>
      <div className="card-file quiet" title={found.path}>{name}</div>
    </div>
  );
});

function CardPicture({ found, pictures }: { found: Found; pictures: Pictures }) {
  const key = pictureKey(found);
  const picture = usePicture(pictures, key);
  const kind = usePlayerKind(key);
  if (picture?.kind === "failed") {
    return <span className="card-picture card-failed"><TriangleAlert size={18} aria-hidden /><span>{picture.message}</span></span>;
  }
  if (!picture) return <span className="card-picture card-waiting" />;
  return (
    <span className={`card-picture ${kind === "playing" ? "card-playing" : ""}`}>
      <img src={picture.address} alt="" draggable={false} decoding="async" />
      {kind === "playing" && <PlayCursor />}
      <span className="card-mark" aria-hidden>{kind === "loading" ? <LoaderCircle size={18} className="spin" /> : kind === "playing" ? <Pause size={18} /> : <Play size={18} />}</span>
      {kind === "failed" && <span className="card-unplayable" role="alert">The sound cannot be played.</span>}
    </span>
  );
}
