// The application's menu and its accelerators.
import { Menu } from "electron";
import type { MenuItemConstructorOptions } from "electron";

export interface MenuActions {
  openFile: () => void;
  showLog: () => void;
}

export function setMenu({ openFile, showLog }: MenuActions): void {
  const file: MenuItemConstructorOptions = {
    label: "File",
    submenu: [
      { label: "Open…", accelerator: "CmdOrCtrl+O", click: openFile },
      { type: "separator" },
      { role: process.platform === "darwin" ? "close" : "quit" },
    ],
  };
  const view: MenuItemConstructorOptions = {
    label: "View",
    submenu: [{ role: "resetZoom" }, { role: "zoomIn" }, { role: "zoomOut" }, { type: "separator" }, { role: "togglefullscreen" }],
  };
  const help: MenuItemConstructorOptions = { role: "help", submenu: [{ label: "Show the log", click: showLog }] };
  const own: ReadonlyArray<MenuItemConstructorOptions> = process.platform === "darwin" ? [{ role: "appMenu" }] : [];
  Menu.setApplicationMenu(Menu.buildFromTemplate([...own, file, { role: "editMenu" }, view, { role: "windowMenu" }, help]));
}
