import { expect, it } from "vitest";
import { AppError } from "../shared/api.js";
import type { Told } from "../shared/api.js";
import { Channel, METHOD_NAMES } from "./ipc.js";
import type { ChannelParts, CommandHandlers } from "./ipc.js";
import { AppFault } from "./outcomes.js";
import type { CallSettings } from "./sidecar-client.js";

interface Asked {
  method: string;
  params: unknown;
  settings: CallSettings;
}

function channelWith(parts: Partial<ChannelParts> = {}) {
  const asked: Asked[] = [];
  const told: [number, Told][] = [];
  const call = (method: string, params: unknown, settings: CallSettings) => {
    asked.push({ method, params, settings });
    return new Promise((resolve) => settings.signal?.addEventListener("abort", () => resolve({ ok: false, error: { code: -32800, message: "" } })));
  };
  const commands = { "logs/tail": ({ lines }: { lines: number }) => [String(lines)] } as unknown as CommandHandlers;
  const channel = new Channel({ client: { call: call as never }, commands, tell: (callId, one) => told.push([callId, one]), ...parts });
  return { channel, asked, told };
}

const REFUSED = { ok: false, error: { code: AppError.refused } };
const turn = () => new Promise((resolve) => setImmediate(resolve));

it("knows the methods of the contract, and not those of the sidecar's life", () => {
  expect(METHOD_NAMES).toContain("scores/page");
  expect(METHOD_NAMES.size).toBeGreaterThan(30);
  for (const method of ["initialize", "shutdown", "exit"]) expect(METHOD_NAMES).not.toContain(method);
});

it.each([
  ["shutdown", {}],
  ["__proto__", {}],
  [7, {}],
  ["health", []],
  ["health", "text"],
])("refuses the call %j with %j", async (method, params) => {
  const { channel, asked } = channelWith();
  expect(await channel.call(1, method, params, {})).toMatchObject(REFUSED);
  expect(asked).toEqual([]);
});

it.each([["1"], [1.5], [null], [{}]])("refuses %j for a call's number", async (callId) => {
  const { channel } = channelWith();
  expect(await channel.call(callId, "health", {}, {})).toMatchObject(REFUSED);
});

it("refuses a number that is taken, and the first call goes on", async () => {
  const { channel, asked } = channelWith();
  const first = channel.call(1, "health", {}, {});
  expect(await channel.call(1, "health", {}, {})).toMatchObject(REFUSED);
  await turn();
  expect(asked).toHaveLength(1);
  channel.cancel(1);
  expect(await first).toMatchObject({ error: { code: -32800 } });
});

it("takes only the options it knows, and tells under the call's number", async () => {
  const { channel, asked, told } = channelWith();
  void channel.call(5, "health", { a: 1 }, { progress: true, rows: "yes", other: 1 });
  await turn();
  expect(asked[0]).toMatchObject({ method: "health", params: { a: 1 }, settings: { progress: true, rows: false } });
  asked[0]?.settings.tell?.({ kind: "rows", rows: [1] });
  expect(told).toEqual([[5, { kind: "rows", rows: [1] }]]);
});

it("cancels everything of a window that goes", async () => {
  const { channel } = channelWith();
  const calls = [1, 2].map((callId) => channel.call(callId, "health", {}, {}));
  await turn();
  channel.close();
  for (const outcome of await Promise.all(calls)) expect(outcome).toMatchObject({ error: { code: -32800 } });
});

it("does not begin what was cancelled while its guard was looking", async () => {
  const { channel, asked } = channelWith({ guard: { call: async (_, params) => (await turn(), params), command: async () => undefined } });
  const call = channel.call(1, "health", {}, {});
  channel.cancel(1);
  expect(await call).toMatchObject({ error: { code: -32800 } });
  expect(asked).toEqual([]);
});

it("refuses what its guard refuses", async () => {
  const refuse = () => Promise.reject(new AppFault("refused", "No.", "Ask."));
  const { channel } = channelWith({ guard: { call: refuse, command: refuse } });
  const expected = { ok: false, error: { code: AppError.refused, message: "No.", data: { hint: "Ask." } } };
  expect(await channel.call(1, "health", {}, {})).toMatchObject(expected);
  expect(await channel.command("logs/tail", { lines: 1 })).toMatchObject(expected);
});

it("answers commands it has, and no others", async () => {
  const { channel } = channelWith();
  expect(await channel.command("logs/tail", { lines: 3 })).toEqual({ ok: true, result: ["3"] });
  for (const name of ["constructor", "files/delete", 3]) expect(await channel.command(name, {})).toMatchObject(REFUSED);
});
