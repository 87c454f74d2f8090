// What the compiler must refuse: each line below an @ts-expect-error is a mistake that the contract catches.
import type { MessageConnection } from "vscode-jsonrpc/node";
import { AudioClip, DetectionsSample, ScoresLoad } from "../generated/contract.js";

export async function mistakes(connection: MessageConnection): Promise<void> {
  // @ts-expect-error endSeconds is missing
  await connection.sendRequest(AudioClip, { path: "a.wav", startSeconds: 0 });
  // @ts-expect-error there is no such colormap
  await connection.sendRequest(AudioClip, { path: "a.wav", startSeconds: 0, endSeconds: 1, spectrogram: { colormap: "rainbow" } });
  // @ts-expect-error a table has no field `rows`
  (await connection.sendRequest(ScoresLoad, { path: "a.csv" })).rows;
  // @ts-expect-error a count is a number
  await connection.sendRequest(DetectionsSample, { scoresId: "1", class: "toad", count: "3" });
}
