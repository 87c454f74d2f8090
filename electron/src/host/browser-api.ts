// `window.dipper` in a browser: the same calls as in Electron, over a WebSocket to the host that served the page.
import { AppError } from "../shared/api.js";
import type { AppEvent, DipperApi, Outcome, Told } from "../shared/api.js";
import { SUBPROTOCOL } from "./wire.js";
import type { FromWindow, ToWindow } from "./wire.js";

const RETRY_MS = 1_000;

class Host {
  private socket: WebSocket | null = null;
  private lastRequestId = 0;
  private isRefused = false;
  private wasEverOpen = false;
  private readonly unsent: FromWindow[] = [];
  private readonly waiting = new Map<number, (outcome: Outcome<unknown>) => void>();
  readonly progress = new Set<(callId: number, told: Told) => void>();
  readonly events = new Set<(event: AppEvent) => void>();

  constructor(private readonly token: string) {
    this.connect();
  }

  ask(message: (requestId: number) => FromWindow): Promise<Outcome<unknown>> {
    const requestId = ++this.lastRequestId;
    return new Promise((resolve) => {
      if (this.isRefused) return resolve(refused());
      this.waiting.set(requestId, resolve);
      this.send(message(requestId));
    });
  }

  send(message: FromWindow): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
    else this.unsent.push(message);
  }

  private connect(): void {
    const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ipc`;
    const socket = new WebSocket(address, SUBPROTOCOL + this.token);
    this.socket = socket;
    socket.onopen = () => {
      this.wasEverOpen = true;
      for (const message of this.unsent.splice(0)) this.send(message);
    };
    socket.onmessage = (event) => this.receive(JSON.parse(String(event.data)) as ToWindow);
    socket.onclose = () => this.lost();
  }

  private receive(message: ToWindow): void {
    if (message.kind === "event") for (const listener of this.events) listener(message.event);
    if (message.kind === "told") for (const listener of this.progress) listener(message.callId, message.told);
    if (message.kind === "answer") {
      this.waiting.get(message.requestId)?.(message.outcome);
      this.waiting.delete(message.requestId);
    }
  }

  /** Calls that were under way are lost with the connection; the page goes on when the host is back. */
  private lost(): void {
    this.unsent.length = 0;
    const outcome = this.wasEverOpen ? gone() : refused();
    for (const answer of this.waiting.values()) answer(outcome);
    this.waiting.clear();
    if (!this.wasEverOpen) {
      this.isRefused = true; // never let in: a wrong token stays wrong
      return;
    }
    const reason = "the program behind this page has ended";
    for (const listener of this.events) listener({ kind: "sidecar", state: { kind: "failed", reason: `No connection: ${reason}.`, hint: "Start it again with python3 dev.py app, then open the address it prints." } });
    setTimeout(() => this.connect(), RETRY_MS);
  }
}

function gone(): Outcome<never> {
  return { ok: false, error: { code: AppError.sidecarGone, message: "The connection to the program behind this page was lost.", data: { kind: "sidecarGone", retryable: true, hint: "The page reconnects by itself when it is back." } } };
}

function refused(): Outcome<never> {
  return { ok: false, error: { code: AppError.refused, message: "This address is not the one that the program printed.", data: { kind: "refused", retryable: false, hint: "Open the whole address, with its token, as python3 dev.py app prints it." } } };
}

const host = new Host(new URLSearchParams(location.search).get("token") ?? "");

const api: DipperApi = {
  call: (callId, method, params, options = {}) => host.ask((requestId) => ({ kind: "call", requestId, callId, method, params, options })) as never,
  cancel: (callId) => host.send({ kind: "cancel", callId }),
  onProgress: (listener) => {
    host.progress.add(listener);
    return () => host.progress.delete(listener);
  },
  command: (name, params) => host.ask((requestId) => ({ kind: "command", requestId, name, params })) as never,
  onEvent: (listener) => {
    host.events.add(listener);
    return () => host.events.delete(listener);
  },
  pathOf: () => null,
};

Object.defineProperty(window, "dipper", { value: Object.freeze(api) });
