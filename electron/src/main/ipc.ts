// The one channel between a window and what is behind it: calls, cancels and commands, checked before they go on.
import { RequestType, RequestType0 } from "vscode-jsonrpc/node";
import type { MethodName, Methods } from "../generated/contract.js";
import * as contract from "../generated/contract.js";
import type { CallOptions, CommandName, Commands, Outcome, Told } from "../shared/api.js";
import { AppFault, failed, succeeded } from "./outcomes.js";
import type { SidecarClient } from "./sidecar-client.js";

export const METHOD_NAMES: ReadonlySet<string> = new Set(
  Object.values(contract)
    .flatMap((value: unknown) => (value instanceof RequestType || value instanceof RequestType0 ? [value.method] : [])),
);

const CANCELLED = { ok: false, error: { code: -32800, message: "It was cancelled." } } as const;

export type CommandHandlers = { [C in CommandName]: (params: Commands[C]["params"]) => Promise<Commands[C]["result"]> | Commands[C]["result"] };
type Params = Record<string, unknown>;

/** Looks at a call before it goes on, and may change its params. @throws AppFault to refuse it */
export interface Guard {
  call(method: MethodName, params: Params): Promise<Params>;
  command(name: CommandName, params: Params): Promise<void>;
}

export interface ChannelParts {
  client: Pick<SidecarClient, "call">;
  commands: CommandHandlers;
  tell: (callId: number, told: Told) => void;
  guard?: Guard;
}

/** One window's. What it has under way is cancelled with it. */
export class Channel {
  private readonly underWay = new Map<number, AbortController>();

  constructor(private readonly parts: ChannelParts) {}

  async call(callId: unknown, method: unknown, params: unknown, options: unknown): Promise<Outcome<unknown>> {
    const id = Number(callId);
    const controller = new AbortController();
    try {
      this.begin(id, callId, controller);
    } catch (error) {
      return failed(error);
    }
    try {
      const { name, given } = checkedCall(method, params);
      const allowed = (await this.parts.guard?.call(name, given)) ?? given;
      if (controller.signal.aborted) return CANCELLED;
      return await this.parts.client.call(name, allowed as Methods[MethodName]["params"], {
        ...checkedOptions(options),
        signal: controller.signal,
        tell: (told) => this.parts.tell(id, told),
      });
    } catch (error) {
      return failed(error);
    } finally {
      this.underWay.delete(id);
    }
  }

  cancel(callId: unknown): void {
    this.underWay.get(Number(callId))?.abort();
  }

  async command(name: unknown, params: unknown): Promise<Outcome<unknown>> {
    try {
      const handlers: Partial<Record<string, (params: never) => unknown>> = this.parts.commands;
      const handler = typeof name === "string" && Object.hasOwn(handlers, name) ? handlers[name] : undefined;
      if (!handler) throw new AppFault("refused", `There is no command ${String(name)}.`);
      const given = checkedParams(params);
      await this.parts.guard?.command(name as CommandName, given);
      return succeeded(await handler(given as never));
    } catch (error) {
      return failed(error);
    }
  }

  close(): void {
    for (const controller of this.underWay.values()) controller.abort();
  }

  private begin(id: number, callId: unknown, controller: AbortController): void {
    if (typeof callId !== "number" || !Number.isSafeInteger(id)) throw new AppFault("refused", "A call needs a whole number of its own.");
    if (this.underWay.has(id)) throw new AppFault("refused", `Call ${id} is under way already.`);
    this.underWay.set(id, controller);
  }
}

function checkedCall(method: unknown, params: unknown): { name: MethodName; given: Params } {
  if (typeof method !== "string" || !METHOD_NAMES.has(method)) throw new AppFault("refused", `There is no method ${String(method)}.`);
  return { name: method as MethodName, given: checkedParams(params) };
}

function checkedParams(params: unknown): Params {
  if (params === undefined || params === null) return {};
  if (typeof params !== "object" || Array.isArray(params)) throw new AppFault("refused", "Params are an object.");
  return params as Params;
}

function checkedOptions(options: unknown): CallOptions {
  const given = checkedParams(options);
  return { progress: given["progress"] === true, rows: given["rows"] === true };
}
