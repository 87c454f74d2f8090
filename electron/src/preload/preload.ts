// The only door between the renderer and the process behind it: `window.dipper`, and nothing else.
import { contextBridge, ipcRenderer, webUtils } from "electron";
import type { AppEvent, DipperApi, Told, Unsubscribe } from "../shared/api.js";
import { CHANNELS } from "../shared/channels.js";

const api: DipperApi = {
  call: (callId, method, params, options) => ipcRenderer.invoke(CHANNELS.call, callId, method, params, options),
  cancel: (callId) => ipcRenderer.send(CHANNELS.cancel, callId),
  onProgress: (listener) => listen(CHANNELS.progress, (callId, told) => listener(callId as number, told as Told)),
  command: (name, params) => ipcRenderer.invoke(CHANNELS.command, name, params),
  onEvent: (listener) => listen(CHANNELS.event, (event) => listener(event as AppEvent)),
  pathOf: (file) => webUtils.getPathForFile(file) || null,
};

function listen(channel: string, listener: (...values: ReadonlyArray<unknown>) => void): Unsubscribe {
  const hear = (_event: unknown, ...values: ReadonlyArray<unknown>): void => listener(...values);
  ipcRenderer.on(channel, hear);
  return () => {
    ipcRenderer.removeListener(channel, hear);
  };
}

contextBridge.exposeInMainWorld("dipper", api);
