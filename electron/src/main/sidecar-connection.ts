// A conversation with one sidecar process: JSON-RPC over its pipes, begun with `initialize`, ended with `exit`.
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from "vscode-jsonrpc/node";
import type { MessageConnection } from "vscode-jsonrpc/node";
import type { InitializeParams, InitializeResult } from "../generated/contract.js";

export interface Conversation {
  connection: MessageConnection;
  version: string;
}

/** Greet a sidecar. Rejects when it does not answer like one. */
export async function converse(child: ChildProcessWithoutNullStreams, clientVersion: string): Promise<Conversation> {
  const connection = createMessageConnection(new StreamMessageReader(child.stdout), new StreamMessageWriter(child.stdin));
  connection.onError(() => undefined); // a broken pipe shows as the end of the process
  for (const end of ["exit", "error"]) child.once(end, () => connection.dispose());
  connection.listen();
  const params: InitializeParams = { processId: process.pid, clientInfo: { name: "dipper", version: clientVersion } };
  const { serverInfo } = await connection.sendRequest<InitializeResult>("initialize", params);
  await connection.sendNotification("initialized", {});
  return { connection, version: serverInfo.version };
}

/** Ask it to leave. */
export async function takeLeave(connection: MessageConnection): Promise<void> {
  await connection.sendRequest("shutdown");
  await connection.sendNotification("exit");
}
