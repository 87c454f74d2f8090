// Whether what was built can be passed on: `node test_build_pipeline.js`, with Node alone. Exit code 1 where anything
// fails. The steps and their order live here; what each looks at, in build_pipeline/.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import process from "node:process";
import { answers, findsTheCall, setsUp } from "./build_pipeline/checks.js";
import { executableIn, findArchive, findExecutable, findFiles } from "./build_pipeline/distribution.js";
import { Fault, Sidecar } from "./build_pipeline/sidecar.js";

const CHECKOUT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const { values: given } = parseArgs({
  options: {
    sidecar: { type: "string", default: join(CHECKOUT, "dist", "sidecar") },
    archive: { type: "string", default: join(CHECKOUT, "environments", "dipper_pytorch_env.tar.gz") },
    scratch: { type: "string", default: tmpdir() },
  },
});

const scratch = mkdtempSync(join(given.scratch, "Käuzchen's pipeline "));
const environment = join(scratch, "ML environment");
const recordings = join(scratch, "recordings");
const options = ["--state-folder", join(scratch, "state"), "--cache-folder", join(scratch, "cache")];
/** @type {Map<string, boolean>} what was tried, and whether it held */
const outcomes = new Map();
/** @type {Sidecar | null} */
let sidecar = null;

const SEES = "the executable exists";
const ANSWERS = "it answers over stdio";
const WHOLE = "the environment archive is whole";
const FILES = "all files of the distribution are there";
const READY = "the environment sets up";
const SCORES = "inference finds the call in a recording";

await step(SEES, [], () => findExecutable(given.sidecar));
await step(ANSWERS, [SEES], () => answers(executableIn(given.sidecar), options, CHECKOUT));
await step(WHOLE, [], async () => (await findArchive(given.archive)).path);
await step(FILES, [], () => `${findFiles(given.sidecar, CHECKOUT)} files`);
await step(READY, [ANSWERS, WHOLE], async () => {
  sidecar = new Sidecar(executableIn(given.sidecar), options);
  return setsUp(sidecar, resolve(given.archive), environment);
});
await step(SCORES, [READY], async () => {
  mkdirSync(recordings);
  if (!sidecar) throw new Fault("the sidecar is gone");
  const report = await findsTheCall(sidecar, environment, recordings);
  return `${report.clips} clips in ${report.elapsedSeconds.toFixed(1)} s`;
});
await finish();

/**
 * Try one thing and say how it went; not where one of those it rests on did not hold.
 * @param {string} name
 * @param {string[]} restsOn
 * @param {() => unknown} check gives what is worth telling
 */
async function step(name, restsOn, check) {
  const broken = restsOn.find((other) => !outcomes.get(other));
  const started = Date.now();
  try {
    if (broken !== undefined) throw new Fault(`not tried, because not "${broken}"`);
    const told = await check();
    outcomes.set(name, true);
    console.log(`ok      ${name} (${told}, ${((Date.now() - started) / 1000).toFixed(1)} s)`);
  } catch (error) {
    outcomes.set(name, false);
    console.error(`FAILED  ${name}: ${error instanceof Fault ? error.message : error}`);
  }
}

/** End what runs, leave nothing, say how many held. */
async function finish() {
  if (sidecar) await sidecar.close();
  rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
  const passed = [...outcomes.values()].filter(Boolean).length;
  console.log(`${passed} passed, ${outcomes.size - passed} failed`);
  process.exitCode = passed === outcomes.size ? 0 : 1;
}
