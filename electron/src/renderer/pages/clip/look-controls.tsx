// How the spectrogram is drawn and the sound prepared.
import { Button, NativeSelect, NumberInput, RangeSlider, Switch, Text } from "@mantine/core";
import { useState } from "react";
import { useSurroundings } from "../../api/start.js";
import { COLORMAPS } from "../../components/colormaps.js";
import type { Colormap } from "../../../shared/api.js";
import type { Scale } from "./axes.js";
import type { Look } from "./clip-view.js";

const SCALES = [{ value: "linear", label: "Linear" }, { value: "mel", label: "Mel" }, { value: "log", label: "Logarithmic" }];
const WINDOWS = [128, 256, 512, 1024, 2048, 4096].map((samples) => ({ value: String(samples), label: `${samples} samples` }));
const SPEEDS = [{ value: "1", label: "Normal" }, { value: "0.5", label: "Half as fast" }, { value: "0.25", label: "Quarter" }, { value: "0.1", label: "Tenth (bats)" }, { value: "2", label: "Twice as fast" }];
const DEFAULT_DECIBELS: [number, number] = [-80, -20];

interface Properties {
  look: Look;
  nyquistHz: number;
  onChange: (changes: Partial<Look>) => void;
}

export function LookControls({ look, nyquistHz, onChange }: Properties) {
  const { change } = useSurroundings();
  const isAuto = look.decibelRange === "auto";
  const keep = () => void change({ colormap: look.colormap, decibelRange: look.decibelRange, frequencyRangeHz: look.frequencyRangeHz });
  return (
    <section className="look" aria-label="How it is shown">
      <NativeSelect size="xs" label="Colours" value={look.colormap} data={[...COLORMAPS]} onChange={(event) => onChange({ colormap: event.currentTarget.value as Colormap })} />
      <NativeSelect size="xs" label="Frequency scale" value={look.scale} data={SCALES} onChange={(event) => onChange({ scale: event.currentTarget.value as Scale })} />
      <NativeSelect size="xs" label="Window" value={String(look.windowSamples)} data={WINDOWS} onChange={(event) => onChange({ windowSamples: Number(event.currentTarget.value) })} />
      <Sliding label="Frequencies" unit="Hz" min={0} max={nyquistHz} step={100} value={look.frequencyRangeHz ?? [0, nyquistHz]} onSettle={(frequencyRangeHz) => onChange({ frequencyRangeHz })} />
      <div>
        <Sliding label="Levels" unit="dB" min={-130} max={0} step={1} value={look.decibelRange === "auto" ? DEFAULT_DECIBELS : look.decibelRange} isDisabled={isAuto} onSettle={(decibelRange) => onChange({ decibelRange })} />
        <Switch size="xs" mt={6} label="Levels from the clip" checked={isAuto} onChange={(event) => onChange({ decibelRange: event.currentTarget.checked ? "auto" : DEFAULT_DECIBELS })} />
      </div>
      <NumberInput size="xs" label="High-pass, Hz" placeholder="off" min={1} max={nyquistHz - 1} value={look.highpassHz ?? ""} onChange={(value) => onChange({ highpassHz: hertz(value, nyquistHz) })} />
      <NumberInput size="xs" label="Low-pass, Hz" placeholder="off" min={1} max={nyquistHz - 1} value={look.lowpassHz ?? ""} onChange={(value) => onChange({ lowpassHz: hertz(value, nyquistHz) })} />
      <NativeSelect size="xs" label="Speed" value={String(look.speed)} data={SPEEDS} onChange={(event) => onChange({ speed: Number(event.currentTarget.value) })} />
      <Button size="xs" variant="subtle" style={{ alignSelf: "end" }} onClick={keep}>Use as default</Button>
    </section>
  );
}

interface SlidingProperties {
  label: string;
  unit: string;
  min: number;
  max: number;
  step: number;
  value: [number, number];
  isDisabled?: boolean;
  onSettle: (value: [number, number]) => void;
}

/** A range that is told when it is let go. */
function Sliding({ label, unit, min, max, step, value, isDisabled = false, onSettle }: SlidingProperties) {
  const [dragged, setDragged] = useState<[number, number] | null>(null);
  const shown = dragged ?? value;
  const settle = (settled: [number, number]) => {
    setDragged(null);
    onSettle(settled);
  };
  return (
    <div>
      <Text size="xs" fw={500} mb={6}>{label} <span className="quiet">{isDisabled ? "automatic" : `${shown[0]} to ${shown[1]} ${unit}`}</span></Text>
      <RangeSlider size={3} thumbSize={14} min={min} max={max} step={step} minRange={step} label={null} value={shown} disabled={isDisabled} onChange={setDragged} onChangeEnd={settle} thumbFromLabel={`${label}, from`} thumbToLabel={`${label}, to`} />
    </div>
  );
}

function hertz(value: string | number, nyquistHz: number): number | null {
  const number = Number(value);
  return value !== "" && number > 0 && number < nyquistHz ? number : null;
}
