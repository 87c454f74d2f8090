// Electron's messages, let through to the channel only from the app's own page.
import { ipcMain } from "electron";
import type { BrowserWindow } from "electron";
import { CHANNELS } from "../../shared/channels.js";
import type { Channel } from "../ipc.js";
import { AppFault, failed } from "../outcomes.js";
import { isFromOwnPage } from "./security.js";

const REFUSED = failed(new AppFault("refused", "Only the app's own window may ask."));

export function connectChannel(channel: Channel, window: () => BrowserWindow | null): void {
  ipcMain.handle(CHANNELS.call, (event, callId: unknown, method: unknown, params: unknown, options: unknown) =>
    isFromOwnPage(event, window()) ? channel.call(callId, method, params, options) : REFUSED,
  );
  ipcMain.handle(CHANNELS.command, (event, name: unknown, params: unknown) =>
    isFromOwnPage(event, window()) ? channel.command(name, params) : REFUSED,
  );
  ipcMain.on(CHANNELS.cancel, (event, callId: unknown) => {
    if (isFromOwnPage(event, window())) channel.cancel(callId);
  });
}
