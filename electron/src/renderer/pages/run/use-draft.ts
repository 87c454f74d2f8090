// The draft of the page, kept as it is written; and what the sidecar says of it, a moment later.
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import type { Validation } from "../../../generated/contract.js";
import { call } from "../../api/client.js";
import { useSurroundings } from "../../api/start.js";
import { configOf, keepDraft, loadDraft, textOf, withText } from "./draft.js";
import type { Draft } from "./draft.js";
import { BASIC_FIELDS } from "./fields.js";
import { placeOf, schemaProblems } from "./problems.js";
import type { Problems } from "./problems.js";

const VALIDATE_MS = 400;

export interface DraftState {
  draft: Draft;
  change: (draft: Draft) => void;
  problems: Problems;
  validation: Validation | undefined;
  /** Why the sidecar could not look at it. */
  error: unknown;
}

export function useDraft(): DraftState {
  const { settings } = useSurroundings();
  const [draft, setDraft] = useState(() => withOutputFolder(loadDraft(), settings.outputFolder));
  useEffect(() => keepDraft(draft), [draft]);
  const own = useMemo(() => schemaProblems(draft), [draft]);
  const [settled] = useDebouncedValue(draft, VALIDATE_MS);
  const { data, error, isPlaceholderData } = useQuery({
    queryKey: ["validation", settled],
    enabled: Object.keys(schemaProblems(settled)).length === 0,
    placeholderData: keepPreviousData,
    gcTime: 60_000,
    queryFn: ({ signal }) => call("config/validate", { config: configOf(settled) }, { signal }),
  });
  const isLookedAt = Object.keys(own).length === 0;
  // Start waits for the answer about what stands there now, not about what stood there a moment ago.
  const isCurrent = settled === draft && !isPlaceholderData;
  const problems = useMemo(() => ({ ...(isLookedAt && data ? sidecarProblems(draft, data) : {}), ...own }), [draft, data, own, isLookedAt]);
  return { draft, change: setDraft, problems, validation: isLookedAt && isCurrent ? data : undefined, error };
}

function sidecarProblems(draft: Draft, { errors }: Validation): Problems {
  return Object.fromEntries(errors.map(({ path, message }) => [placeOf(draft, path), message]));
}

function withOutputFolder(draft: Draft, folder: string | null): Draft {
  const field = BASIC_FIELDS.find(({ place }) => place === "output.folder");
  return field && folder !== null && textOf(draft, field) === "" ? withText(draft, field, folder) : draft;
}
