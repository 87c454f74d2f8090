// The app in a browser: the composition root of the host.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { commandHandlers } from "../main/commands.js";
import { findSidecar } from "../main/find-sidecar.js";
import type { SidecarCommand } from "../main/find-sidecar.js";
import { listFolder, listRoots } from "../main/folders.js";
import { LogFile } from "../main/log-file.js";
import { SettingsStore } from "../main/settings.js";
import { SidecarClient } from "../main/sidecar-client.js";
import { SidecarProcess } from "../main/sidecar-process.js";
import { Boundary } from "./boundary.js";
import { FolderGuard } from "./guard.js";
import { inAddress, isLoopback, namesFor } from "./names.js";
import { parseOptions, USAGE } from "./options.js";
import type { HostOptions } from "./options.js";
import { HostServer } from "./server.js";

const HERE = dirname(fileURLToPath(import.meta.url));

async function run(options: HostOptions): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(HERE, "..", "..", "package.json"), "utf8")) as { version: string };
  const log = new LogFile(join(options.dataFolder, "logs", "app.log"));
  const settings = new SettingsStore(join(options.dataFolder, "settings.json"), (message) => log.say(message));
  const sidecar = new SidecarProcess(sidecarCommand(options), { appVersion: version, log: (text) => log.write(text) });
  const client = new SidecarClient(sidecar);
  const boundary = new Boundary(options.roots, [options.dataFolder]);
  const token = randomBytes(32).toString("base64url");
  const commands = commandHandlers({
    description: {
      version,
      host: "browser",
      platform: process.platform,
      home: homedir(),
      dataFolder: options.dataFolder,
      logFile: log.path,
      roots: boundary.roots,
      versions: { node: process.versions.node },
    },
    settings,
    log,
    sidecar,
    list: (folder) => (folder ? listFolder(folder, boundary.roots) : boundary.roots[0] && boundary.roots.length === 1 ? listFolder(boundary.roots[0], boundary.roots) : listRoots(boundary.roots)),
  });
  const server = new HostServer({
    folders: { renderer: resolve(HERE, "..", "renderer"), apiScript: join(HERE, "browser-api.js") },
    token,
    names: namesFor(options.address),
    channel: { client, commands, guard: new FolderGuard(boundary, client) },
    greeting: () => ({ kind: "sidecar", state: sidecar.state }),
    say: (message) => log.say(message),
  });
  sidecar.onState((state) => {
    log.say(`sidecar ${JSON.stringify(state)}`);
    server.broadcast({ kind: "sidecar", state });
  });
  settings.onChange((changed) => server.broadcast({ kind: "settings", settings: changed }));
  const port = await server.listen(options.port, options.address);
  sidecar.start();
  announce(options, `http://${inAddress(options.address)}:${port}/?token=${token}`);
  endWith(["SIGINT", "SIGTERM"], async () => {
    server.close();
    await sidecar.stop();
  });
}

function sidecarCommand(options: HostOptions): SidecarCommand {
  const found = findSidecar({ override: process.env["DIPPER_SIDECAR"], checkout: options.checkout, resources: resolve(HERE, "..", "..") });
  const folders = ["--state-folder", join(options.dataFolder, "state"), "--cache-folder", join(options.dataFolder, "cache")];
  return { ...found, args: [...found.args, ...folders] };
}

function announce(options: HostOptions, address: string): void {
  if (!isLoopback(options.address)) {
    console.error(`dipper-web: WARNING: whoever can reach ${options.address} and has the token can read and write ${options.roots.join(", ")}, and the connection is not encrypted. An SSH tunnel to 127.0.0.1 is safer.`);
  }
  console.log(address);
  if (options.isOpen) openBrowser(address);
}

function openBrowser(address: string): void {
  const [program = "", ...args] = { darwin: ["open"], win32: ["explorer"] }[process.platform as string] ?? ["xdg-open"];
  const opening = spawn(program, [...args, address], { stdio: "ignore", detached: true });
  opening.on("error", () => console.error("dipper-web: no browser could be opened; open the address above in one."));
  opening.unref();
}

function endWith(signals: ReadonlyArray<NodeJS.Signals>, end: () => Promise<void>): void {
  let isEnding = false;
  for (const signal of signals) {
    process.on(signal, () => {
      if (isEnding) process.exit(1);
      isEnding = true;
      void end().then(() => process.exit(0));
    });
  }
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options) await run(options);
  else console.log(USAGE);
} catch (error) {
  console.error(`dipper-web: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
