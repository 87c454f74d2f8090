// The host's server: pages over HTTP, the channel of each window over a WebSocket.
import { createServer } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import { Channel } from "../main/ipc.js";
import type { ChannelParts } from "../main/ipc.js";
import type { AppEvent } from "../shared/api.js";
import { isOwnHost, refusalOf } from "./admission.js";
import { servePage } from "./pages.js";
import type { PageFolders } from "./pages.js";
import { SUBPROTOCOL } from "./wire.js";
import type { FromWindow, ToWindow } from "./wire.js";

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

export interface HostParts {
  folders: PageFolders;
  token: string;
  /** Names by which this host may be called, without port. */
  names: ReadonlyArray<string>;
  channel: Omit<ChannelParts, "tell">;
  /** What a window is told first: it may have missed it while it had no connection. */
  greeting: () => AppEvent;
  say: (message: string) => void;
}

export class HostServer {
  private readonly http: Server;
  private readonly sockets: WebSocketServer;

  constructor(private readonly parts: HostParts) {
    this.http = createServer((request, response) => {
      if (isOwnHost(request, parts.names)) return void servePage(request, response, parts.folders);
      response.writeHead(403, { "content-type": "text/plain" }).end("This is not the name of this host.");
    });
    this.sockets = new WebSocketServer({
      noServer: true,
      maxPayload: MAX_MESSAGE_BYTES,
      handleProtocols: (offered) => [...offered].find((name) => name.startsWith(SUBPROTOCOL)) ?? false,
    });
    this.http.on("upgrade", (request, socket, head) => this.upgrade(request, socket, head));
  }

  listen(port: number, address: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.http.once("error", reject);
      this.http.listen(port, address, () => resolve((this.http.address() as AddressInfo).port));
    });
  }

  /** Tell every window. */
  broadcast(event: AppEvent): void {
    for (const socket of this.sockets.clients) send(socket, { kind: "event", event });
  }

  close(): void {
    for (const socket of this.sockets.clients) socket.terminate();
    this.http.close();
    this.http.closeAllConnections();
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = refusalOf(request, this.parts.token, this.parts.names);
    if (refusal !== null) {
      this.parts.say(`refused a window: ${refusal}`);
      socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n");
      return;
    }
    this.sockets.handleUpgrade(request, socket, head, (window) => this.attend(window));
  }

  private attend(socket: WebSocket): void {
    const channel = new Channel({ ...this.parts.channel, tell: (callId, told) => send(socket, { kind: "told", callId, told }) });
    send(socket, { kind: "event", event: this.parts.greeting() });
    socket.on("message", (data) => void this.receive(socket, channel, String(data)));
    socket.on("close", () => channel.close());
    socket.on("error", (error) => this.parts.say(`a window: ${error.message}`));
  }

  private async receive(socket: WebSocket, channel: Channel, text: string): Promise<void> {
    const message = parsed(text);
    if (message === null) return socket.close(1003, "That is no message.");
    if (message.kind === "cancel") return channel.cancel(message.callId);
    const outcome =
      message.kind === "call"
        ? await channel.call(message.callId, message.method, message.params, message.options)
        : await channel.command(message.name, message.params);
    send(socket, { kind: "answer", requestId: message.requestId, outcome });
  }
}

function parsed(text: string): FromWindow | null {
  try {
    const message = JSON.parse(text) as FromWindow | null;
    return message !== null && ["call", "command", "cancel"].includes(message.kind) ? message : null;
  } catch {
    return null;
  }
}

function send(socket: WebSocket, message: ToWindow): void {
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
}
