// What is asked of the frozen sidecar, and what it must answer. What must not live here: how it is asked (sidecar.js).
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CALL, MODEL, writeRecording } from "./recording.js";
import { Fault, Sidecar } from "./sidecar.js";

const SETUP_SECONDS = 900;
const RUN_SECONDS = 600;
const CLIPS = 6;

/**
 * That it tells its version, answers health in JSON alone, and leaves when its stdin is closed; its version.
 * @param {string} executable
 * @param {string[]} options
 * @param {string} checkout
 */
export async function answers(executable, options, checkout) {
  const version = readFileSync(join(checkout, "schemas", "version.py"), "utf8").match(/VERSION = "(.+)"/)?.[1];
  const { stdout, stderr, error } = spawnSync(executable, ["--version"], { encoding: "utf8", timeout: 60_000 });
  const said = (error?.message ?? stdout + stderr).trim();
  if (said !== `sidecar ${version}`) throw new Fault(`--version says ${said}, the checkout is ${version}`);
  const sidecar = new Sidecar(executable, options);
  const health = await sidecar.ask("health").finally(() => sidecar.process.stdin.end());
  if (!health.frozen) throw new Fault("it says that it is not frozen");
  if (health.version !== version) throw new Fault(`health says ${health.version}, the checkout is ${version}`);
  const how = await sidecar.close();
  if (how !== 0) throw new Fault(`it ended with ${how}`);
  return version;
}

/**
 * That the environment in `archive` is set up in `folder` and is ready; what it is.
 * @param {Sidecar} sidecar
 * @param {string} archive
 * @param {string} folder
 */
export async function setsUp(sidecar, archive, folder) {
  const made = await sidecar.ask("env/setup", { archive, folder }, SETUP_SECONDS);
  const found = await sidecar.ask("env/check", { folder });
  for (const environment of [made, found]) {
    if (environment.status !== "ready") throw new Fault(`${environment.status}: ${environment.problem}`);
  }
  if (!found.packages["torch"]) throw new Fault("it holds no torch");
  return `Python ${found.pythonVersion}, torch ${found.packages["torch"]}`;
}

/**
 * That a recording is scored by way of a config file, and that the best detection is the call that was put there.
 * @param {Sidecar} sidecar
 * @param {string} environment the folder of the ML environment
 * @param {string} folder an empty one
 */
export async function findsTheCall(sidecar, environment, folder) {
  const configPath = join(folder, "config.json");
  writeRecording(join(folder, "chorus.wav"));
  const config = { name: "pipeline", model: MODEL, input: { folders: [folder] }, output: { folder } };
  await sidecar.ask("config/save", { path: configPath, config });
  const validation = await sidecar.ask("config/validate", { path: configPath });
  if (!validation.valid) throw new Fault(`config/validate: ${JSON.stringify(validation.errors)}`);
  const run = { configPath, environment: { folder: environment } };
  const report = await sidecar.ask("inference/run", run, RUN_SECONDS);
  if (report.state !== "completed" || report.clips !== CLIPS) {
    throw new Fault(`${report.state} with ${report.clips} of ${CLIPS} clips: ${JSON.stringify(report.failures)}`);
  }
  await seesTheCall(sidecar, report.jobFolder);
  return report;
}

/**
 * @param {Sidecar} sidecar
 * @param {string} jobFolder
 */
async function seesTheCall(sidecar, jobFolder) {
  const { scoresId } = await sidecar.ask("scores/load", { path: join(jobFolder, "predictions.csv") });
  const best = { scoresId, class: MODEL.className, count: 1, render: { include: ["spectrogram"] } };
  const [detection] = (await sidecar.ask("detections/sample", best)).detections;
  if (!detection || detection.startSeconds > CALL.startSeconds || detection.endSeconds < CALL.endSeconds) {
    throw new Fault(`the best detection is not the call at ${CALL.startSeconds} s: ${JSON.stringify(detection)}`);
  }
  const picture = Buffer.from(detection.clip?.spectrogram?.base64 ?? "", "base64");
  if (picture.subarray(1, 4).toString() !== "PNG") throw new Fault(`it has no spectrogram: ${JSON.stringify(detection.error)}`);
  writeFileSync(join(jobFolder, "best.png"), picture);
}
