// Which detections are shown, and in what order: the view, as it stands in the page's address.

export const ORDERS = ["highest", "lowest", "recording", "random", "stratified"] as const;
export type Order = (typeof ORDERS)[number];

export const ORDER_LABEL: Record<Order, string> = {
  highest: "Highest scores first",
  lowest: "Lowest scores first",
  recording: "By recording and time",
  random: "Random sample",
  stratified: "Stratified sample",
};

export const GROUPS = ["file", "site", "date"] as const;
export type Group = (typeof GROUPS)[number];

export interface View {
  className: string;
  /** Both ends included; null shows all scores. */
  scoreRange: [number, number] | null;
  order: Order;
  seed: number;
  groupBy: Group | null;
}

/** The view that an address names; what it does not name or what makes no sense has its default. */
export function parseView(params: URLSearchParams, firstClass: string): View {
  const [low, high] = [numberOf(params.get("low")), numberOf(params.get("high"))];
  return {
    className: params.get("class") ?? firstClass,
    scoreRange: low !== null && high !== null && low <= high ? [low, high] : null,
    order: ORDERS.find((order) => order === params.get("order")) ?? "highest",
    seed: Math.max(0, Math.trunc(numberOf(params.get("seed")) ?? 0)),
    groupBy: GROUPS.find((group) => group === params.get("group")) ?? null,
  };
}

export function viewParams(view: View): Record<string, string | number | null> {
  return {
    class: view.className,
    low: view.scoreRange?.[0] ?? null,
    high: view.scoreRange?.[1] ?? null,
    order: view.order === "highest" ? null : view.order,
    seed: view.seed || null,
    group: view.groupBy,
  };
}

export function isSample(order: Order): order is "random" | "stratified" {
  return order === "random" || order === "stratified";
}

function numberOf(text: string | null): number | null {
  if (text === null || text === "") return null;
  const number = Number(text);
  return Number.isFinite(number) ? number : null;
}
