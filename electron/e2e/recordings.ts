// Small recordings with chirps, a table as BirdNET writes it, and a recording that is none.
import { linkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const RATE = 16_000;

/** Seconds of quiet noise with a pulsed call at 2 kHz every five seconds, 16 kHz mono. */
export function writeRecording(path: string, seconds: number): void {
  const samples = new Int16Array(seconds * RATE);
  for (let index = 0; index < samples.length; index += 1) samples[index] = sampleAt(index / RATE);
  const header = Buffer.alloc(44);
  header.write("RIFF", 0);
  header.writeUInt32LE(36 + samples.byteLength, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(RATE, 24);
  header.writeUInt32LE(RATE * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write("data", 36);
  header.writeUInt32LE(samples.byteLength, 40);
  writeFileSync(path, Buffer.concat([header, Buffer.from(samples.buffer)]));
}

function sampleAt(time: number): number {
  const inCall = time % 5;
  const isPulsing = inCall > 1 && inCall < 3 && (inCall * 10) % 1 < 0.5;
  const call = isPulsing ? 9_000 * Math.sin(2 * Math.PI * 2_000 * time) : 0;
  return Math.round(call + 400 * (Math.random() - 0.5));
}

/** `count` recordings of the same sound, which take the space of one. */
export function writeRecordings(folder: string, count: number, seconds: number): void {
  const first = join(folder, "site_000.wav");
  writeRecording(first, seconds);
  for (let index = 1; index < count; index += 1) linkSync(first, join(folder, `site_${String(index).padStart(3, "0")}.wav`));
}

export function writeCorruptRecording(path: string): void {
  writeFileSync(path, Buffer.concat([Buffer.from("RIFF\x10\x00\x00\x00WAVE"), Buffer.from("this is not sound")]));
}

/** A table of BirdNET-Analyzer with `count` detections of three species, three seconds each. */
export function writeBirdnetTable(path: string, recording: string, count: number, seconds: number): void {
  const species = [["Cinclus cinclus", "White-throated Dipper"], ["Erithacus rubecula", "European Robin"], ["Turdus merula", "Eurasian Blackbird"]] as const;
  const rows = Array.from({ length: count }, (_, index) => {
    const [scientific, common] = species[index % species.length] ?? species[0];
    const start = (index * 3) % (seconds - 3);
    return `${start.toFixed(1)},${(start + 3).toFixed(1)},${scientific},${common},${(0.1 + 0.9 * ((index * 37) % 1000) / 1000).toFixed(4)},${recording}`;
  });
  writeFileSync(path, `Start (s),End (s),Scientific name,Common name,Confidence,File\n${rows.join("\n")}\n`);
}
