// A stretch of a recording: large, with axes, to be looked at and listened to.
import { Button, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { ArrowLeft, AudioLines, Minus, Pause, Play, Plus } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import type { RecordingInfo } from "../../../generated/contract.js";
import { call } from "../../api/client.js";
import { player, usePlayerKind } from "../../api/player.js";
import { useSurroundings } from "../../api/start.js";
import { EmptyState } from "../../components/empty-state.js";
import { ErrorNotice } from "../../components/error-notice.js";
import { fileName, formatClock, formatScore } from "../../formats.js";
import { useRoute } from "../../routing.js";
import { audioOf, lookOf, moved, within, withContext, zoomed } from "./clip-view.js";
import type { Stretch } from "./clip-view.js";
import { LookControls } from "./look-controls.js";
import { SaveClip } from "./save-clip.js";
import { Spectrogram } from "./spectrogram.js";
import "./clip.css";

export default function ClipPage() {
  const params = useRoute()?.params ?? new URLSearchParams();
  const path = params.get("path");
  const [start, end] = [Number(params.get("start") ?? 0), Number(params.get("end") ?? 5)];
  if (!path || !(end > start)) {
    return (
      <div className="page">
        <EmptyState Icon={AudioLines} title="No clip chosen" action={<Button component="a" href="#/explore">Explore</Button>}>Open one from the cards of Explore.</EmptyState>
      </div>
    );
  }
  return <ClipView key={`${path} ${start} ${end}`} path={path} detection={{ start, end }} params={params} />;
}

function ClipView({ path, detection, params }: { path: string; detection: Stretch; params: URLSearchParams }) {
  const { settings } = useSurroundings();
  const [chosen, setStretch] = useState(() => withContext(detection));
  const [look, setLook] = useState(() => lookOf(settings));
  const info = useQuery({ queryKey: ["info", path], queryFn: ({ signal }) => call("audio/info", { path }, { signal }), staleTime: Infinity });
  const { start, end } = within(chosen, info.data?.durationSeconds);
  const stretch = useMemo(() => ({ start, end }), [start, end]);
  const sound = { key: "clip", path, startSeconds: stretch.start, endSeconds: stretch.end, audio: audioOf(look), speed: look.speed };
  const kind = usePlayerKind("clip");
  useEffect(() => () => player.stop(), []);
  const show = (next: Stretch) => {
    player.stop();
    setStretch(next);
  };
  const leave = () => {
    window.location.hash = params.get("back") ?? "#/explore";
  };
  useKeys({
    " ": () => player.toggle(sound),
    ArrowLeft: () => show(moved(stretch, -0.25)),
    ArrowRight: () => show(moved(stretch, 0.25)),
    "+": () => show(zoomed(stretch, 0.5)),
    "-": () => show(zoomed(stretch, 2)),
    "0": () => show(withContext(detection)),
    Escape: () => (player.state.kind === "silent" ? leave() : player.stop()),
  });
  const score = params.get("score");
  return (
    <div className="page full clip">
      <header className="clip-header">
        <Button variant="subtle" size="compact-sm" leftSection={<ArrowLeft size={15} />} onClick={leave}>Back</Button>
        <div style={{ minWidth: 0, flex: 1 }}>
          <h1 className="clip-title">{params.get("class") || fileName(path)}</h1>
          <Text size="sm" className="quiet" truncate title={path}>
            {score && <b>{formatScore(Number(score))} · </b>}{fileName(path)} · {formatClock(detection.start)} – {formatClock(detection.end)}{info.data && describeRecording(info.data)}
          </Text>
        </div>
        <SaveClip path={path} detection={detection} className={params.get("class")} score={score === null ? null : Number(score)} />
      </header>
      <ErrorNotice error={info.error} title="The recording cannot be read" />
      <Spectrogram path={path} stretch={stretch} detection={detection} look={look} isPlaying={kind === "playing"} onShow={show} onSeek={(position) => void player.play(sound, position)} />
      <Group className="clip-transport" gap="xs">
        <Button leftSection={kind === "playing" ? <Pause size={16} /> : <Play size={16} />} loading={kind === "loading"} onClick={() => player.toggle(sound)}>{kind === "playing" ? "Stop" : "Play"}</Button>
        <Button.Group>
          <Button variant="default" aria-label="Zoom out" onClick={() => show(zoomed(stretch, 2))}><Minus size={16} /></Button>
          <Button variant="default" aria-label="Zoom in" onClick={() => show(zoomed(stretch, 0.5))}><Plus size={16} /></Button>
        </Button.Group>
        <Button variant="default" onClick={() => show(withContext(detection))}>The detection</Button>
        <Text size="sm" className="quiet">Space plays, arrows move, + and − zoom, drag selects</Text>
        {kind === "failed" && <Text size="sm" c="red" role="alert">The sound cannot be played.</Text>}
      </Group>
      <LookControls look={look} nyquistHz={(info.data?.sampleRate ?? 48_000) / 2} onChange={(changes) => { player.stop(); setLook((before) => ({ ...before, ...changes })); }} />
    </div>
  );
}

function describeRecording({ sampleRate, recordedAt, device }: RecordingInfo): string {
  const parts = [`${sampleRate / 1000} kHz`, recordedAt?.replace("T", " "), device].filter(Boolean);
  return ` · ${parts.join(" · ")}`;
}

/** Keys of the page, except where they are typed into something. */
function useKeys(actions: Partial<Record<string, () => void>>): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const isTyped = event.target instanceof HTMLElement && event.target.closest("input, select, textarea, button, [role=slider], [role=dialog]") !== null;
      const action = isTyped || event.ctrlKey || event.metaKey || event.altKey ? undefined : actions[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  });
}
