// The host's command line.
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

export interface HostOptions {
  port: number;
  address: string;
  roots: ReadonlyArray<string>;
  dataFolder: string;
  checkout: string | undefined;
  isOpen: boolean;
}

export const USAGE = `dipper-web: the app in a browser
  --port N         the port (default: a free one)
  --root FOLDER    a folder whose files may be used, more than once (default: the home folder)
  --data FOLDER    where settings, logs, jobs and the ML environment are kept (default: ~/.dipper-web)
  --listen ADDRESS another address than 127.0.0.1: whoever can reach it and has the token can read and write the roots
  --checkout DIR   run the sidecar of this checkout
  --no-open        do not open a browser`;

/** @throws TypeError for what it does not know */
export function parseOptions(args: ReadonlyArray<string>): HostOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: "string", default: "0" },
      root: { type: "string", multiple: true, default: [] },
      data: { type: "string", default: join(homedir(), ".dipper-web") },
      listen: { type: "string", default: "127.0.0.1" },
      checkout: { type: "string" },
      "no-open": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new TypeError(`--port ${values.port} is no port.`);
  const roots = values.root.length > 0 ? values.root.map((root) => resolve(root)) : [homedir()];
  return { port, address: values.listen, roots, dataFolder: resolve(values.data), checkout: values.checkout, isOpen: !values["no-open"] };
}
