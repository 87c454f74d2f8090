// How the scores of a class are distributed, with a range that is dragged to filter them.
import { Button, Group, RangeSlider, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { call } from "../../api/client.js";
import { ErrorNotice } from "../../components/error-notice.js";
import { formatScore } from "../../formats.js";

const BINS = 80;
const HEIGHT = 64;

interface Properties {
  scoresId: string;
  className: string;
  range: [number, number] | null;
  onRange: (range: [number, number] | null) => void;
}

export function ScoreHistogram({ scoresId, className, range, onRange }: Properties) {
  const { data, error } = useQuery({
    queryKey: ["histogram", scoresId, className],
    queryFn: ({ signal }) => call("scores/histogram", { scoresId, class: className, bins: BINS }, { signal }),
    staleTime: Infinity,
  });
  const [low, high] = [data?.edges[0] ?? 0, data?.edges.at(-1) ?? 1];
  const [dragged, setDragged] = useState<[number, number] | null>(range);
  useEffect(() => setDragged(range), [range]);
  if (error) return <ErrorNotice error={error} title="The scores cannot be counted" />;
  if (!data || high <= low) return <div style={{ height: HEIGHT + 40 }} />;
  const shown = dragged ?? [low, high];
  const settle = (value: [number, number]) => onRange(value[0] <= low && value[1] >= high ? null : value);
  return (
    <div className="histogram">
      <svg viewBox={`0 0 ${BINS} ${HEIGHT}`} preserveAspectRatio="none" height={HEIGHT} width="100%" role="img" aria-label={`Histogram of the scores of ${className}`}>
        {barHeights(data.counts, HEIGHT).map((height, bin) => (
          <rect key={bin} x={bin + 0.08} width={0.84} y={HEIGHT - height} height={height} className={isWithin(data.edges, bin, shown) ? "bar" : "bar bar-out"} />
        ))}
      </svg>
      <RangeSlider
        aria-label="Range of scores"
        thumbFromLabel="Lowest score"
        thumbToLabel="Highest score"
        size={3}
        thumbSize={16}
        label={formatScore}
        min={low}
        max={high}
        step={(high - low) / 500}
        minRange={0}
        value={shown}
        onChange={setDragged}
        onChangeEnd={settle}
      />
      <Group justify="space-between" mt={4}>
        <Text size="xs" className="quiet">{formatScore(shown[0])} to {formatScore(shown[1])}</Text>
        {range && <Button size="compact-xs" variant="subtle" onClick={() => onRange(null)}>All scores</Button>}
      </Group>
    </div>
  );
}

/** By the root of the counts: a few high scores stay visible beside very many low ones. */
export function barHeights(counts: ReadonlyArray<number>, height: number): ReadonlyArray<number> {
  const most = Math.max(1, ...counts);
  return counts.map((count) => (count === 0 ? 0 : Math.max(1, Math.sqrt(count / most) * height)));
}

function isWithin(edges: ReadonlyArray<number>, bin: number, [low, high]: [number, number]): boolean {
  return (edges[bin + 1] ?? 0) >= low && (edges[bin] ?? 0) <= high;
}
