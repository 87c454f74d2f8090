// The sidecar's life: started, restarted after a crash (at most three times in a minute), ended with the app.
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { spawn as spawnChild } from "node:child_process";
import type { MessageConnection } from "vscode-jsonrpc/node";
import type { SidecarState, Unsubscribe } from "../shared/api.js";
import type { SidecarCommand } from "./find-sidecar.js";
import { AppFault } from "./outcomes.js";
import { converse, takeLeave } from "./sidecar-connection.js";

const MAX_RESTARTS = 3;
const WITHIN_MS = 60_000;
const GREETING_MS = 30_000;
const LEAVE_MS = 5_000;

type Spawn = (program: string, args: ReadonlyArray<string>, options: { cwd?: string; windowsHide: boolean }) => ChildProcessWithoutNullStreams;

export interface Surroundings {
  appVersion: string;
  /** Where what the sidecar writes on stderr goes. */
  log: (text: string) => void;
  spawn?: Spawn;
  now?: () => number;
}

/** Waits for a connection. */
interface Waiter {
  resolve: (connection: MessageConnection) => void;
  reject: (error: AppFault) => void;
}

export class SidecarProcess {
  state: SidecarState = { kind: "starting" };
  private child: ChildProcessWithoutNullStreams | null = null;
  private live: MessageConnection | null = null;
  private isStopping = false;
  private lastWords = "";
  private readonly restarts: number[] = [];
  private readonly waiters: Waiter[] = [];
  private readonly listeners = new Set<(state: SidecarState) => void>();

  constructor(
    private readonly command: SidecarCommand,
    private readonly surroundings: Surroundings,
  ) {}

  onState(listener: (state: SidecarState) => void): Unsubscribe {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  start(): void {
    this.isStopping = false;
    const spawn: Spawn = this.surroundings.spawn ?? spawnChild;
    const { program, args, cwd } = this.command;
    const child = spawn(program, args, { windowsHide: true, ...(cwd === undefined ? {} : { cwd }) });
    this.child = child;
    this.drain(child);
    child.once("error", (error) => this.ended(child, error.message));
    child.once("exit", (code, signal) => this.ended(child, signal ? `it was ended by ${signal}` : `it ended with ${code}`));
    void this.greet(child);
  }

  /** The connection, as soon as there is one. @throws AppFault when the sidecar cannot be started. */
  connection(): Promise<MessageConnection> {
    if (this.live) return Promise.resolve(this.live);
    if (this.state.kind === "failed") return Promise.reject(new AppFault("sidecarGone", this.state.reason, this.state.hint));
    return new Promise((resolve, reject) => this.waiters.push({ resolve, reject }));
  }

  /** Begin anew after a failure, because the user asks for it. */
  restart(): void {
    if (this.state.kind !== "failed") return;
    this.restarts.length = 0;
    this.change({ kind: "starting" });
    this.start();
  }

  /** Ask it to leave, wait a little, then end it. */
  async stop(): Promise<void> {
    this.isStopping = true;
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    const killing = setTimeout(() => child.kill("SIGKILL"), LEAVE_MS);
    if (this.live) takeLeave(this.live).catch(() => child.kill());
    else child.kill();
    await gone;
    clearTimeout(killing);
  }

  private drain(child: ChildProcessWithoutNullStreams): void {
    child.stdin.on("error", () => undefined); // the end of the process tells it
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text: string) => {
      this.lastWords = (this.lastWords + text).slice(-2000);
      this.surroundings.log(text);
    });
  }

  private async greet(child: ChildProcessWithoutNullStreams): Promise<void> {
    const patience = setTimeout(() => child.kill("SIGKILL"), GREETING_MS);
    try {
      const { connection, version } = await converse(child, this.surroundings.appVersion);
      if (child !== this.child) return;
      this.live = connection;
      this.change({ kind: "ready", version, pid: child.pid ?? 0 });
      for (const waiter of this.waiters.splice(0)) waiter.resolve(connection);
    } catch {
      child.kill("SIGKILL"); // what is no sidecar is treated as one that crashed
    } finally {
      clearTimeout(patience);
    }
  }

  private ended(child: ChildProcessWithoutNullStreams, reason: string): void {
    if (child !== this.child) return;
    this.child = null;
    this.live = null;
    if (this.isStopping) return this.giveUp("The sidecar was ended.", "Start the app again.");
    const now = (this.surroundings.now ?? Date.now)();
    while (this.restarts[0] !== undefined && this.restarts[0] < now - WITHIN_MS) this.restarts.shift();
    if (this.restarts.length >= MAX_RESTARTS) return this.giveUp(this.failure(reason), this.advice());
    this.restarts.push(now);
    this.change({ kind: "restarting", attempt: this.restarts.length, reason });
    this.start();
  }

  private giveUp(reason: string, hint: string): void {
    this.change({ kind: "failed", reason, hint });
    for (const waiter of this.waiters.splice(0)) waiter.reject(new AppFault("sidecarGone", reason, hint));
  }

  private failure(reason: string): string {
    return `The sidecar does not stay alive: ${reason}, for the fourth time within a minute.`;
  }

  private advice(): string {
    const last = this.lastWords.trim().split("\n").at(-1);
    return `Its last words: ${last || "none"}. See the log under Help, then start it again.`;
  }

  private change(state: SidecarState): void {
    this.state = state;
    for (const listener of this.listeners) listener(state);
  }
}
