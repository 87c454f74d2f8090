// A range that is either left to the app or given by its two ends; it is kept as soon as it makes sense.
import { Group, NumberInput, Stack, Switch, Text } from "@mantine/core";
import { useState } from "react";
import { numberOf, rangeOf, rangeProblem } from "./ranges.js";
import type { Range } from "./ranges.js";

interface Properties {
  label: string;
  automatic: string;
  unit: string;
  min: number;
  max: number;
  value: Range | null;
  initial: Range;
  onChange: (value: Range | null) => void;
}

export function RangeSetting({ label, automatic, unit, min, max, value, initial, onChange }: Properties) {
  const [typed, setTyped] = useState<[number | "", number | ""]>(value ?? initial);
  const type = (from: number | "", to: number | "") => {
    setTyped([from, to]);
    const range = rangeOf(from, to);
    if (range) onChange(range);
  };
  const problem = rangeProblem(...typed);
  const limits = { min, max, clampBehavior: "strict" as const, w: 130, suffix: ` ${unit}`, error: problem !== null };
  return (
    <Stack gap={6} role="group" aria-label={label}>
      <Text size="sm" fw={500}>{label}</Text>
      <Switch label={automatic} checked={value === null} onChange={(event) => onChange(event.currentTarget.checked ? null : (rangeOf(...typed) ?? initial))} />
      {value !== null && (
        <>
          <Group gap="xs">
            <NumberInput {...limits} aria-label={`${label}, from`} value={typed[0]} onChange={(from) => type(numberOf(from), typed[1])} />
            <Text size="sm" className="quiet">to</Text>
            <NumberInput {...limits} aria-label={`${label}, to`} value={typed[1]} onChange={(to) => type(typed[0], numberOf(to))} />
          </Group>
          {problem !== null && <Text size="sm" c="red" role="alert">{problem}</Text>}
        </>
      )}
    </Stack>
  );
}
