// What was done, as a sentence.
import type { ImportedWeights } from "../../../generated/contract.js";
import { formatCount } from "../../formats.js";

/** "3 files were taken over; 1 was here already." */
export function importedSentence({ imported, present }: ImportedWeights): string {
  const here = present === 0 ? "" : `; ${formatCount(present)} ${present === 1 ? "was" : "were"} here already`;
  if (imported.length === 0) return present === 0 ? "There were no weights in this folder." : `Nothing new${here}.`;
  return `${formatCount(imported.length)} ${imported.length === 1 ? "file was" : "files were"} taken over${here}.`;
}
