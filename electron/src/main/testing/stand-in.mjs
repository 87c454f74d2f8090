// A sidecar that crashes when it is told to. Says on stderr who it is; `--silent-death` dies before it greets anybody.
import { createMessageConnection, ResponseError, StreamMessageReader, StreamMessageWriter } from "vscode-jsonrpc/node";

if (process.argv.includes("--silent-death")) {
  process.stderr.write("no room to live\n");
  process.exit(7);
}
const connection = createMessageConnection(new StreamMessageReader(process.stdin), new StreamMessageWriter(process.stdout));
connection.onRequest("initialize", () => ({ serverInfo: { name: "stand-in", version: "1.2.3" } }));
connection.onRequest("health", () => ({ pid: process.pid }));
connection.onRequest("jobs/list", () => process.exit(3));
connection.onRequest("rpc.discover", (params, token) => new Promise((_, reject) => {
  void connection.sendNotification("$/progress", { token: params.workDoneToken, value: { kind: "report", done: 1 } });
  token.onCancellationRequested(() => reject(new ResponseError(-32800, "cancelled")));
}));
connection.onRequest("cache/clear", () => new Promise((resolve) => process.stderr.write("x".repeat(4_000_000) + "\n", () => resolve({ freedBytes: 0 }))));
connection.onRequest("shutdown", () => null);
connection.onNotification("exit", () => process.exit(0));
connection.onClose(() => process.exit(1));
connection.listen();
