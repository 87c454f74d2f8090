// The file that the app was started with, or asked to open while it runs.
import { isAbsolute, resolve } from "node:path";

/** The first argument that is no option, as an absolute path. `skip`: the program, and in a checkout the app's folder. */
export function openedPath(argv: ReadonlyArray<string>, skip: number, cwd: string): string | null {
  const given = argv.slice(skip).find((argument) => argument !== "" && !argument.startsWith("-"));
  if (given === undefined) return null;
  return isAbsolute(given) ? given : resolve(cwd, given);
}
