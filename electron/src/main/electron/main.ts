// The app in Electron: its start. What it is made of is put together in desktop-app.ts.
import { app } from "electron";
import { DesktopApp } from "./desktop-app.js";
import { registerScheme } from "./protocol.js";
import { denyWhatPagesMayNotDo } from "./security.js";

app.enableSandbox();
registerScheme();
denyWhatPagesMayNotDo();
if (app.requestSingleInstanceLock()) {
  const desktop = new DesktopApp();
  desktop.listen();
  void app.whenReady().then(() => desktop.start());
} else {
  app.quit();
}
