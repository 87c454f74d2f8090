// The icon beside the clock while jobs go on without a window.
import { Menu, nativeImage, Tray } from "electron";

export interface TrayActions {
  open: () => void;
  quit: () => void;
}

const SIZE_PIXELS = 22;

export class JobTray {
  private tray: Tray | null = null;

  constructor(
    private readonly icon: string,
    private readonly actions: TrayActions,
  ) {}

  show(): void {
    if (this.tray) return;
    const image = nativeImage.createFromPath(this.icon).resize({ width: SIZE_PIXELS, height: SIZE_PIXELS });
    this.tray = new Tray(image);
    this.tray.setToolTip("Dipper: jobs are running");
    this.tray.on("click", this.actions.open);
    this.tray.setContextMenu(
      Menu.buildFromTemplate([
        { label: "Open Dipper", click: this.actions.open },
        { label: "Quit", click: this.actions.quit },
      ]),
    );
  }

  hide(): void {
    this.tray?.destroy();
    this.tray = null;
  }
}
