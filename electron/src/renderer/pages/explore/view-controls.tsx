// Order and sampling of the detections, and how many there are.
import { ActionIcon, Group, NativeSelect, Text, Tooltip } from "@mantine/core";
import { Shuffle } from "lucide-react";
import { formatCount } from "../../formats.js";
import type { Detections } from "./detections.js";
import { GROUPS, isSample, ORDER_LABEL, ORDERS } from "./view.js";
import type { Group as Grouping, Order, View } from "./view.js";

const GROUP_LABEL: Record<Grouping, string> = { file: "as many of each recording", site: "as many of each site", date: "as many of each day" };

interface Properties {
  view: View;
  detections: Detections;
  onChange: (changes: Partial<View>) => void;
}

export function ViewControls({ view, detections, onChange }: Properties) {
  return (
    <Group justify="space-between" gap="sm">
      <Group gap="xs">
        <NativeSelect
          aria-label="Order of detections"
          size="xs"
          value={view.order}
          onChange={(event) => onChange({ order: event.currentTarget.value as Order })}
          data={ORDERS.map((value) => ({ value, label: ORDER_LABEL[value] }))}
        />
        {isSample(view.order) && (
          <>
            <NativeSelect
              aria-label="Groups of the sample"
              size="xs"
              value={view.groupBy ?? ""}
              onChange={(event) => onChange({ groupBy: (event.currentTarget.value || null) as Grouping | null })}
              data={[{ value: "", label: "from all together" }, ...GROUPS.map((value) => ({ value, label: GROUP_LABEL[value] }))]}
            />
            <Tooltip label="Draw another sample">
              <ActionIcon variant="default" aria-label="Draw another sample" onClick={() => onChange({ seed: view.seed + 1 })}><Shuffle size={15} /></ActionIcon>
            </Tooltip>
          </>
        )}
      </Group>
      <Text size="sm" className="quiet" role="status">{amount(view, detections)}</Text>
    </Group>
  );
}

function amount(view: View, { count, total, isPending }: Detections): string {
  if (isPending) return "";
  if (isSample(view.order)) return `${formatCount(count)} of ${formatCount(total)} detections`;
  return `${formatCount(total)} ${total === 1 ? "detection" : "detections"}`;
}
