// @vitest-environment jsdom
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { BatchClip } from "../../../generated/contract.js";
import { call } from "../../api/client.js";
import type { Found } from "./detections.js";
import { pictureKey, Pictures } from "./pictures.js";

vi.mock("../../api/client.js", () => ({ call: vi.fn() }));

type Row = { clipId: string } & { [name in keyof BatchClip]?: BatchClip[name] | undefined };

interface Asked {
  clips: ReadonlyArray<{ clipId: string; startSeconds: number }>;
  signal: AbortSignal;
  answer: (rows: ReadonlyArray<Row>) => void;
  fail: (error: Error) => void;
}

const asked: Asked[] = [];

beforeEach(() => {
  asked.length = 0;
  vi.mocked(call).mockImplementation(((_method: string, params: Pick<Asked, "clips">, options: { signal: AbortSignal; onRows: (rows: unknown) => void }) =>
    new Promise((resolve, reject) => {
      options.signal.addEventListener("abort", () => reject(new Error("cancelled")));
      const answer = (rows: unknown) => {
        options.onRows(rows);
        resolve({});
      };
      asked.push({ clips: params.clips, signal: options.signal, answer, fail: reject });
    })) as unknown as typeof call);
});

function found(startSeconds: number): Found {
  return { row: startSeconds, path: "/a.wav", startSeconds, endSeconds: startSeconds + 3, className: "Wren", score: 1 };
}

const DRAWN = { kind: "inline", mime: "image/png", base64: "AA==" } as BatchClip["spectrogram"];
const settle = () => new Promise((resolve) => setTimeout(resolve));
const at = (index: number): Asked => asked[index] ?? expect.fail(`request ${index} was not made`);

describe("pictures of detections", () => {
  it("are asked for in one batch, shown, and not asked for again", async () => {
    const pictures = new Pictures({});
    const told = vi.fn();
    pictures.subscribe(pictureKey(found(0)), told);
    pictures.want([found(0), found(1)]);
    expect(at(0).clips.map(({ startSeconds }) => startSeconds)).toEqual([0, 1]);
    at(0).answer([{ clipId: "1", spectrogram: DRAWN }, { clipId: "0", spectrogram: DRAWN }]);
    await settle();
    expect(told).toHaveBeenCalledTimes(1);
    expect(pictures.get(pictureKey(found(1)))).toEqual({ kind: "shown", address: "data:image/png;base64,AA==" });
    pictures.want([found(0), found(1)]);
    expect(asked).toHaveLength(1);
  });
  it("are cancelled when all have left sight, and what is in sight comes next", async () => {
    const pictures = new Pictures({});
    pictures.want([found(0)]);
    pictures.want([found(100)]);
    expect(at(0).signal.aborted).toBe(true);
    await settle();
    expect(at(1).clips.map(({ startSeconds }) => startSeconds)).toEqual([100]);
    expect(pictures.get(pictureKey(found(0)))).toBeUndefined();
  });
  it("say why there is none", async () => {
    const pictures = new Pictures({});
    pictures.want([found(0), found(1)]);
    at(0).answer([{ clipId: "0", spectrogram: null, error: { code: 1, message: "/a.wav is missing." } as BatchClip["error"] }, { clipId: "1", spectrogram: DRAWN }]);
    await settle();
    expect(pictures.get(pictureKey(found(0)))).toEqual({ kind: "failed", message: "/a.wav is missing." });
    expect(pictures.get(pictureKey(found(1)))).toMatchObject({ kind: "shown" });
  });
  it("fail together when the request does", async () => {
    const pictures = new Pictures({});
    pictures.want([found(0)]);
    at(0).fail(new Error("The sidecar is gone."));
    await settle();
    expect(pictures.get(pictureKey(found(0)))).toEqual({ kind: "failed", message: "The sidecar is gone." });
  });
});
