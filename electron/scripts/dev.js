// `node scripts/dev.js TASK ...`: runs dev.py with a Python that it understands. npm's scripts cannot choose one.
import { spawnSync } from "node:child_process";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..", "..");
const OLDEST = [3, 11];
const CANDIDATES = [["python3"], ["python"], ["py", "-3"]];

/** The command that starts a Python which is new enough. */
function findPython() {
  const ask = `import sys; sys.exit(sys.version_info < (${OLDEST.join(", ")}))`;
  const found = CANDIDATES.find(([program = "", ...options]) => spawnSync(program, [...options, "-c", ask]).status === 0);
  if (found) return found;
  console.error(`There is no Python ${OLDEST.join(".")} or newer on the path.`);
  return process.exit(1);
}

const [python = "", ...options] = findPython();
const task = spawnSync(python, [...options, "dev.py", ...process.argv.slice(2)], { cwd: ROOT, stdio: "inherit" });
process.exitCode = task.status ?? 1;
