// Ranges as they are typed: what is accepted, and what is said where it is not.

export type Range = [number, number];

/** Why a range cannot be used; null where it can. */
export function rangeProblem(from: number | "", to: number | ""): string | null {
  if (from === "" || to === "") return "Both ends are needed.";
  return from < to ? null : "The first must be lower than the second.";
}

/** The range of what was typed, or null where it is none. */
export function rangeOf(from: number | "", to: number | ""): Range | null {
  return from === "" || to === "" || from >= to ? null : [from, to];
}

/** What a field of numbers tells, as a number or nothing. */
export function numberOf(value: string | number): number | "" {
  const number = Number(value);
  return value === "" || !Number.isFinite(number) ? "" : number;
}
