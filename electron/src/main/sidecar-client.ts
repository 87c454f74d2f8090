// Calls to whichever sidecar process is alive, typed by the contract; errors come back as values.
import { CancellationTokenSource, ProgressType, ResponseError } from "vscode-jsonrpc/node";
import type { MessageConnection } from "vscode-jsonrpc/node";
import type { ErrorData, MethodName, Methods, Progress } from "../generated/contract.js";
import type { CallOptions, Outcome, Told } from "../shared/api.js";
import { AppFault, failed, succeeded } from "./outcomes.js";
import type { SidecarProcess } from "./sidecar-process.js";

const PROGRESS = new ProgressType<Progress>();
const ROWS = new ProgressType<ReadonlyArray<unknown>>();

export interface CallSettings extends CallOptions {
  signal?: AbortSignal;
  tell?: (told: Told) => void;
}

export class SidecarClient {
  private lastToken = 0;

  constructor(private readonly sidecar: Pick<SidecarProcess, "connection">) {}

  async call<M extends MethodName>(
    method: M,
    params: Methods[M]["params"],
    settings: CallSettings = {},
  ): Promise<Outcome<Methods[M]["result"]>> {
    try {
      const connection = await this.sidecar.connection();
      return succeeded(await this.send(connection, method, params, settings));
    } catch (error) {
      return outcomeOf(error);
    }
  }

  private async send<M extends MethodName>(
    connection: MessageConnection,
    method: M,
    params: Methods[M]["params"],
    { signal, tell, progress = false, rows = false }: CallSettings,
  ): Promise<Methods[M]["result"]> {
    const token = ++this.lastToken;
    const cancelling = new CancellationTokenSource();
    const cancel = () => cancelling.cancel();
    const listeners = [
      ...(progress && tell ? [connection.onProgress(PROGRESS, `work-${token}`, (value) => tell({ kind: "progress", progress: value }))] : []),
      ...(rows && tell ? [connection.onProgress(ROWS, `rows-${token}`, (value) => tell({ kind: "rows", rows: value }))] : []),
    ];
    const tokens = { ...(progress ? { workDoneToken: `work-${token}` } : {}), ...(rows ? { partialResultToken: `rows-${token}` } : {}) };
    signal?.addEventListener("abort", cancel, { once: true });
    if (signal?.aborted) cancel();
    try {
      return await connection.sendRequest<Methods[M]["result"]>(method, { ...params, ...tokens }, cancelling.token);
    } finally {
      signal?.removeEventListener("abort", cancel);
      for (const listener of listeners) listener.dispose();
      cancelling.dispose();
    }
  }
}

function outcomeOf(error: unknown): Outcome<never> {
  if (error instanceof ResponseError && !isOfConnection(error)) {
    return { ok: false, error: { code: error.code, message: error.message, data: (error.data as ErrorData | undefined) ?? null } };
  }
  if (error instanceof AppFault) return failed(error);
  const gone = new AppFault("sidecarGone", "The sidecar ended before it had answered.", "It is being started again: try once more.");
  return failed(gone);
}

/** vscode-jsonrpc answers for a connection that is gone with codes of its own. */
function isOfConnection(error: ResponseError<unknown>): boolean {
  return error.code >= -32099 && error.code <= -32096;
}
