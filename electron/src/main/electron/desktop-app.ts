// The composition root in Electron: the sidecar, its channel, one window, and what happens when it is closed.
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { app, dialog, shell } from "electron";
import type { BrowserWindow } from "electron";
import type { AppEvent } from "../../shared/api.js";
import { CHANNELS } from "../../shared/channels.js";
import { decideClosing } from "../closing.js";
import { commandHandlers } from "../commands.js";
import type { CommandHandlers } from "../ipc.js";
import { Channel } from "../ipc.js";
import { findSidecar } from "../find-sidecar.js";
import type { SidecarCommand } from "../find-sidecar.js";
import { JobsWatch } from "../jobs-watch.js";
import { LogFile } from "../log-file.js";
import { openedPath } from "../open-path.js";
import { SettingsStore } from "../settings.js";
import { SidecarClient } from "../sidecar-client.js";
import { SidecarProcess } from "../sidecar-process.js";
import { connectChannel } from "./channel.js";
import { askAboutJobs, choose } from "./dialogs.js";
import { setMenu } from "./menu.js";
import { notifyEnd, SleepBlocker } from "./notifications.js";
import { serveRenderer } from "./protocol.js";
import { denyPermissions } from "./security.js";
import { JobTray } from "./tray.js";
import { bringForward, openWindow } from "./windows.js";

const HERE = dirname(fileURLToPath(import.meta.url));
const DIST = resolve(HERE, "..");
const ICON = resolve(DIST, "..", "icons", "icon.png");
const SKIPPED_ARGUMENTS = app.isPackaged ? 1 : 2;

export class DesktopApp {
  private readonly data = app.getPath("userData");
  private readonly log = new LogFile(join(this.data, "logs", "app.log"));
  private readonly settings = new SettingsStore(join(this.data, "settings.json"), (message) => this.log.say(message));
  private readonly sleep = new SleepBlocker();
  private readonly tray = new JobTray(ICON, { open: () => this.show(), quit: () => this.quit() });
  private window: BrowserWindow | null = null;
  private isPageLoaded = false;
  private sidecar: SidecarProcess | null = null;
  private client: SidecarClient | null = null;
  private jobs: JobsWatch | null = null;
  private mayClose = false;
  private isAsking = false;
  private isStopped = false;
  private toOpen = openedPath(process.argv, SKIPPED_ARGUMENTS, process.cwd());

  /** Before the app is ready: macOS tells early which file it is to open. */
  listen(): void {
    app.on("open-file", (event, path) => {
      event.preventDefault();
      this.open(path);
    });
    app.on("second-instance", (_event, argv, cwd) => {
      this.show();
      const path = openedPath(argv, SKIPPED_ARGUMENTS, cwd);
      if (path) this.open(path);
    });
    app.on("activate", () => this.show());
    app.on("window-all-closed", () => app.quit());
    app.on("before-quit", (event) => this.beforeQuit(event));
    app.on("will-quit", (event) => this.willQuit(event));
  }

  start(): void {
    try {
      this.compose();
    } catch (error) {
      dialog.showErrorBox("Dipper cannot start", error instanceof Error ? error.message : String(error));
      this.mayClose = true;
      app.quit();
    }
  }

  private compose(): void {
    denyPermissions();
    serveRenderer(join(DIST, "renderer"));
    setMenu({ openFile: () => void this.chooseAndOpen(), showLog: () => shell.showItemInFolder(this.log.path) });
    const sidecar = new SidecarProcess(this.sidecarCommand(), { appVersion: app.getVersion(), log: (text) => this.log.write(text) });
    const client = new SidecarClient(sidecar);
    const tell = (callId: number, told: unknown): void => this.send(CHANNELS.progress, callId, told);
    connectChannel(new Channel({ client, commands: this.commands(sidecar), tell }), () => this.window);
    sidecar.onState((state) => {
      this.log.say(`sidecar ${JSON.stringify(state)}`);
      this.tell({ kind: "sidecar", state });
    });
    this.settings.onChange((settings) => this.tell({ kind: "settings", settings }));
    this.sidecar = sidecar;
    this.client = client;
    this.jobs = this.watch(client);
    sidecar.start();
    this.window = this.createWindow();
    void this.jobs.look();
  }

  private commands(sidecar: SidecarProcess): CommandHandlers {
    const { node = "", electron = "", chrome = "" } = process.versions;
    return commandHandlers({
      description: {
        version: app.getVersion(),
        host: "electron",
        platform: process.platform,
        home: homedir(),
        dataFolder: this.data,
        logFile: this.log.path,
        roots: null,
        versions: { node, electron, chrome },
      },
      settings: this.settings,
      log: this.log,
      sidecar,
      choose: (choice) => (this.window ? choose(this.window, choice) : Promise.resolve([])),
      reveal: (path) => shell.showItemInFolder(path),
    });
  }

  private watch(client: SidecarClient): JobsWatch {
    return new JobsWatch(client, {
      changed: (active) => {
        this.sleep.set(active.length > 0);
        if (active.length === 0) this.tray.hide();
        if (active.length === 0 && this.window && !this.window.isVisible()) this.window.showInactive();
      },
      ended: (job) => {
        if (this.settings.read().notifications) notifyEnd(job, () => this.show());
      },
    });
  }

  private sidecarCommand(): SidecarCommand {
    const found = findSidecar({
      override: app.isPackaged ? undefined : process.env["DIPPER_SIDECAR"],
      resources: process.resourcesPath,
      checkout: app.isPackaged ? undefined : resolve(DIST, "..", ".."),
    });
    const folders = ["--state-folder", join(this.data, "state"), "--cache-folder", join(this.data, "cache")];
    return { ...found, args: [...found.args, ...folders] };
  }

  private createWindow(): BrowserWindow {
    const places = { preload: join(DIST, "preload", "preload.cjs"), icon: ICON, stateFile: join(this.data, "window.json") };
    const window = openWindow(places);
    window.on("close", (event) => {
      if (this.mayClose) return;
      event.preventDefault();
      void this.close(window);
    });
    window.webContents.on("did-finish-load", () => {
      this.isPageLoaded = true;
      if (this.toOpen) this.open(this.toOpen);
    });
    return window;
  }

  private async close(window: BrowserWindow): Promise<void> {
    if (this.isAsking) return;
    this.isAsking = true;
    try {
      const decision = await decideClosing({
        active: this.jobs?.active ?? [],
        onClose: this.settings.read().onClose,
        ask: (question) => askAboutJobs(window, question),
        cancelJob: async (jobId) => void (await this.client?.call("jobs/cancel", { jobId })),
      });
      if (decision === "quit") this.quit();
      if (decision !== "hide") return;
      this.tray.show();
      window.hide();
    } finally {
      this.isAsking = false;
    }
  }

  private quit(): void {
    this.mayClose = true;
    app.quit();
  }

  private beforeQuit(event: { preventDefault: () => void }): void {
    if (this.mayClose || !this.window) return;
    event.preventDefault();
    void this.close(this.window);
  }

  private willQuit(event: { preventDefault: () => void }): void {
    this.jobs?.close();
    this.tray.hide();
    this.sleep.set(false);
    if (this.isStopped || !this.sidecar) return;
    event.preventDefault();
    void this.sidecar.stop().finally(() => {
      this.isStopped = true;
      app.quit();
    });
  }

  private show(): void {
    if (!this.window || this.window.isDestroyed()) return;
    this.tray.hide();
    bringForward(this.window);
  }

  private async chooseAndOpen(): Promise<void> {
    if (!this.window) return;
    const [path] = await choose(this.window, { what: "file", title: "Open" });
    if (path) this.open(path);
  }

  private open(path: string): void {
    this.toOpen = this.isPageLoaded ? null : path;
    if (this.isPageLoaded) this.tell({ kind: "open", path });
  }

  private tell(event: AppEvent): void {
    this.send(CHANNELS.event, event);
  }

  private send(channel: string, ...values: ReadonlyArray<unknown>): void {
    if (this.window && !this.window.isDestroyed()) this.window.webContents.send(channel, ...values);
  }
}
