// A recording made for the test: calls of a toad's kind at known times. What must not live here: looking for them.
import { writeFileSync } from "node:fs";

const RATE = 32000;
const SECONDS = 30;
const CARRIER_HZ = 2250;
const PULSES_PER_SECOND = 17;
const HEADER_BYTES = 44;

/** The only call, in seconds from the start: it fills one clip of 5 s and lies in no other. */
export const CALL = { startSeconds: 10.2, endSeconds: 14.8 };

/** What finds the call without weights: OpenSoundscape's RIBBIT, as the config names it. */
export const MODEL = {
  source: "ribbit",
  className: "toad",
  signalBandHz: [2000, 2500],
  pulseRateHz: [13, 22],
  noiseBandsHz: [[0, 200]],
  clipSeconds: 5.0,
};

/**
 * Write a mono WAV of 16 bits at `path`.
 * @param {string} path
 */
export function writeRecording(path) {
  const frames = RATE * SECONDS;
  const wav = Buffer.alloc(HEADER_BYTES + 2 * frames);
  writeHeader(wav, 2 * frames);
  const noise = generator(7);
  for (let frame = 0; frame < frames; frame++) {
    const sample = 0.02 * (2 * noise() - 1) + call(frame / RATE);
    wav.writeInt16LE(Math.round(32767 * sample), HEADER_BYTES + 2 * frame);
  }
  writeFileSync(path, wav);
}

/** @param {number} time in seconds */
function call(time) {
  if (time < CALL.startSeconds || time > CALL.endSeconds) return 0;
  const pulse = Math.max(Math.sin(2 * Math.PI * PULSES_PER_SECOND * time), 0) ** 2;
  return 0.3 * pulse * Math.sin(2 * Math.PI * CARRIER_HZ * time);
}

/**
 * @param {Buffer} wav
 * @param {number} bytes of sound
 */
function writeHeader(wav, bytes) {
  wav.write("RIFF", 0);
  wav.writeUInt32LE(HEADER_BYTES - 8 + bytes, 4);
  wav.write("WAVEfmt ", 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20); // PCM
  wav.writeUInt16LE(1, 22); // channels
  wav.writeUInt32LE(RATE, 24);
  wav.writeUInt32LE(2 * RATE, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write("data", 36);
  wav.writeUInt32LE(bytes, 40);
}

/**
 * Numbers in [0, 1), the same for the same seed.
 * @param {number} seed
 */
function generator(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
