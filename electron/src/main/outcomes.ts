// Errors of our own as values, in the form that the sidecar's errors have.
import type { ErrorObject } from "../generated/contract.js";
import { AppError } from "../shared/api.js";
import type { Outcome } from "../shared/api.js";

/** Something that the app refuses or cannot do; its message is a sentence for people. */
export class AppFault extends Error {
  constructor(
    readonly kind: keyof typeof AppError,
    message: string,
    readonly hint: string | null = null,
  ) {
    super(message);
  }

  toError(): ErrorObject {
    const data = { kind: this.kind, retryable: this.kind === "sidecarGone", hint: this.hint };
    return { code: AppError[this.kind], message: this.message, data };
  }
}

/** The sidecar's own answer to a question that had to be asked first. */
export class AnsweredFault extends Error {
  constructor(readonly error: ErrorObject) {
    super(error.message);
  }
}

/** The result, or the error thrown. @throws AnsweredFault */
export function resultOf<T>(outcome: Outcome<T>): T {
  if (outcome.ok) return outcome.result;
  throw new AnsweredFault(outcome.error);
}

export function succeeded<T>(result: T): Outcome<T> {
  return { ok: true, result };
}

/** Whatever was thrown as an outcome. */
export function failed(error: unknown): { ok: false; error: ErrorObject } {
  if (error instanceof AppFault) return { ok: false, error: error.toError() };
  if (error instanceof AnsweredFault) return { ok: false, error: error.error };
  const message = error instanceof Error ? error.message : String(error);
  return { ok: false, error: new AppFault("failed", message).toError() };
}
