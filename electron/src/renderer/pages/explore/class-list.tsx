// The classes of a table: searched, sorted, scrolled, chosen by mouse or arrow keys.
import { NativeSelect, Text, TextInput } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { Search } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import type { KeyboardEvent } from "react";
import type { ClassSummary } from "../../../generated/contract.js";
import { formatCount, formatScore } from "../../formats.js";

const ROW_PIXELS = 46;

export const CLASS_SORTS = { max: "Highest score", mean: "Highest mean", name: "Name" } as const;
export type ClassSort = keyof typeof CLASS_SORTS;

interface Properties {
  classes: ReadonlyArray<ClassSummary>;
  chosen: string;
  onChoose: (name: string) => void;
}

export function ClassList({ classes, chosen, onChoose }: Properties) {
  const [text, setText] = useState("");
  const [sort, setSort] = useState<ClassSort>("max");
  const shown = useMemo(() => arrange(classes, text, sort), [classes, text, sort]);
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({ count: shown.length, getScrollElement: () => scroller.current, estimateSize: () => ROW_PIXELS, overscan: 8 });
  const place = shown.findIndex((item) => item.name === chosen);
  useEffect(() => {
    if (place >= 0) rows.scrollToIndex(place, { align: "auto" });
  }, [place, rows]);
  const move = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const next = step && shown[Math.min(shown.length - 1, Math.max(0, place + step))];
    if (!next) return;
    event.preventDefault();
    onChoose(next.name);
  };
  return (
    <>
      <TextInput
        aria-label="Search classes"
        placeholder={`Search ${formatCount(classes.length)} ${classes.length === 1 ? "class" : "classes"}`}
        leftSection={<Search size={15} />}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <NativeSelect
        aria-label="Order of classes"
        size="xs"
        value={sort}
        onChange={(event) => setSort(event.currentTarget.value as ClassSort)}
        data={Object.entries(CLASS_SORTS).map(([value, label]) => ({ value, label }))}
      />
      <div ref={scroller} className="class-scroller" role="listbox" aria-label="Classes" tabIndex={0} onKeyDown={move}>
        <div style={{ height: rows.getTotalSize(), position: "relative" }}>
          {rows.getVirtualItems().map(({ index, start }) => {
            const item = shown[index];
            return item && (
              <div
                key={item.name}
                role="option"
                aria-selected={item.name === chosen}
                className="class-row"
                style={{ transform: `translateY(${start}px)`, height: ROW_PIXELS }}
                onClick={() => onChoose(item.name)}
              >
                <span className="class-name" title={item.name}>{item.name}</span>
                <span className="class-detail quiet">{formatCount(item.count)} · up to {formatScore(item.max)}</span>
              </div>
            );
          })}
        </div>
        {shown.length === 0 && <Text size="sm" className="quiet" p="sm">No class has “{text}” in its name.</Text>}
      </div>
    </>
  );
}

/** The classes that have `text` in their name, in the order wanted; those without scores last. */
export function arrange(classes: ReadonlyArray<ClassSummary>, text: string, sort: ClassSort): ReadonlyArray<ClassSummary> {
  const wanted = text.trim().toLowerCase();
  const fitting = classes.filter((item) => item.name.toLowerCase().includes(wanted));
  if (sort === "name") return fitting.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  return fitting.sort((a, b) => (b[sort] ?? -Infinity) - (a[sort] ?? -Infinity));
}
