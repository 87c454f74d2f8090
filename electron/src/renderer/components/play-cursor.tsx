// A line over a spectrogram that moves with the sound.
import { useEffect, useRef } from "react";
import { player } from "../api/player.js";

/** Shown while something is played; moves by a transform alone, outside React. */
export function PlayCursor() {
  const line = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let frame = 0;
    const move = () => {
      if (line.current) line.current.style.transform = `translateX(${player.position * 100}%)`;
      frame = requestAnimationFrame(move);
    };
    move();
    return () => cancelAnimationFrame(frame);
  }, []);
  return <div ref={line} className="play-cursor" data-testid="play-cursor" aria-hidden />;
}
