// A client in TypeScript, typed from end to end by the generated contract. Run it with the path of a recording:
//   node --experimental-strip-types src/examples/typed-client.ts recording.wav   (Node >= 22), or compile it first.
import { spawn } from "node:child_process";
import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from "vscode-jsonrpc/node";
import { AudioClip, AudioInfo, WorkDone, FoldersScan, Health } from "../generated/contract.js";
import type { AudioClipParams, Clip } from "../generated/contract.js";

const [python, recording] = [process.env["DIPPER_PYTHON"] ?? "python", process.argv[2] ?? "recording.wav"];
const sidecar = spawn(python, ["-m", "sidecar"], { stdio: ["pipe", "pipe", "inherit"] });
const connection = createMessageConnection(
  new StreamMessageReader(sidecar.stdout),
  new StreamMessageWriter(sidecar.stdin),
);
connection.listen();

const health = await connection.sendRequest(Health);
console.log(`sidecar ${health.version} offers ${health.capabilities.length} methods`);

const info = await connection.sendRequest(AudioInfo, { path: recording });
console.log(`${info.durationSeconds.toFixed(1)} s at ${info.sampleRate} Hz`);

const params: AudioClipParams = { path: recording, startSeconds: 0, endSeconds: 3, spectrogram: { colormap: "magma" } };
const clip: Clip = await connection.sendRequest(AudioClip, params);
console.log(clip.spectrogram?.kind === "inline" ? `${clip.spectrogram.base64.length} characters of PNG` : "in a file");

const progress = connection.onProgress(WorkDone, "scan-1", (value) => console.log(value.message ?? value.kind));
const scan = await connection.sendRequest(FoldersScan, { folder: ".", workDoneToken: "scan-1" });
progress.dispose();
console.log(`${scan.count} recordings here`);

connection.end();
sidecar.stdin.end();
