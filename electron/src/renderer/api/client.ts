// Calls to the sidecar and commands to the app, as promises that reject with a DipperError. What must not live here:
// React.
import type { ErrorData, ErrorObject, MethodName, Methods, Progress } from "../../generated/contract.js";
import type { CommandName, Commands } from "../../shared/api.js";

const CANCELLED = -32800;

/** An error reply: its message is a sentence for people, `hint` says what to do next. */
export class DipperError extends Error {
  readonly code: number;
  readonly data: ErrorData | null;

  constructor(error: ErrorObject) {
    super(error.message);
    this.name = "DipperError";
    this.code = error.code;
    this.data = error.data ?? null;
  }

  get hint(): string | null {
    return this.data?.hint ?? null;
  }

  get isCancelled(): boolean {
    return this.code === CANCELLED;
  }
}

export interface CallSettings {
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** Rows of methods that stream them; they are left out of the result then. */
  onRows?: (rows: ReadonlyArray<unknown>) => void;
}

const listening = new Map<number, CallSettings>();
let lastCallId = 0;
let isSubscribed = false;

/** Call a method of the sidecar. @throws DipperError */
export async function call<M extends MethodName>(
  method: M,
  params: Methods[M]["params"],
  settings: CallSettings = {},
): Promise<Methods[M]["result"]> {
  settings.signal?.throwIfAborted();
  subscribe();
  const callId = ++lastCallId;
  const abort = () => window.dipper.cancel(callId);
  settings.signal?.addEventListener("abort", abort, { once: true });
  listening.set(callId, settings);
  try {
    const options = { progress: settings.onProgress !== undefined, rows: settings.onRows !== undefined };
    const outcome = await window.dipper.call(callId, method, params, options);
    if (!outcome.ok) throw new DipperError(outcome.error);
    return outcome.result;
  } finally {
    listening.delete(callId);
    settings.signal?.removeEventListener("abort", abort);
  }
}

/** Ask the app itself. @throws DipperError */
export async function command<C extends CommandName>(
  name: C,
  params: Commands[C]["params"],
): Promise<Commands[C]["result"]> {
  const outcome = await window.dipper.command(name, params);
  if (!outcome.ok) throw new DipperError(outcome.error);
  return outcome.result;
}

function subscribe(): void {
  if (isSubscribed) return;
  isSubscribed = true;
  window.dipper.onProgress((callId, told) => {
    const settings = listening.get(callId);
    if (told.kind === "progress") settings?.onProgress?.(told.progress);
    else settings?.onRows?.(told.rows);
  });
}
