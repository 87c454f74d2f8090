// The app's one window: sandboxed, without Node, where it stood last.
import { BrowserWindow, screen } from "electron";
import { HOME_URL } from "../own-address.js";
import { readWindowState, writeWindowState } from "../window-state.js";

export interface WindowPlaces {
  preload: string;
  icon: string;
  stateFile: string;
}

export function openWindow({ preload, icon, stateFile }: WindowPlaces): BrowserWindow {
  const screens = screen.getAllDisplays().map(({ workArea }) => workArea);
  const { bounds, isMaximized } = readWindowState(stateFile, screens);
  const window = new BrowserWindow({
    ...(bounds ?? { width: 1280, height: 800 }),
    minWidth: 800,
    minHeight: 560,
    show: false,
    title: "Dipper",
    icon,
    webPreferences: {
      preload,
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      webSecurity: true,
      webviewTag: false,
      spellcheck: false,
    },
  });
  if (isMaximized) window.maximize();
  window.once("ready-to-show", () => window.show());
  window.on("close", () => writeWindowState(stateFile, { bounds: window.getNormalBounds(), isMaximized: window.isMaximized() }));
  void window.loadURL(HOME_URL);
  return window;
}

export function bringForward(window: BrowserWindow): void {
  if (window.isMinimized()) window.restore();
  window.show();
  window.focus();
}
