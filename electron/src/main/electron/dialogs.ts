// The system's own dialogs: choosing files, and what becomes of running jobs.
import { dialog } from "electron";
import type { BrowserWindow, OpenDialogOptions } from "electron";
import type { Choice } from "../../shared/api.js";
import type { ClosingChoice } from "../closing.js";

const PROPERTIES: Record<Exclude<Choice["what"], "save">, OpenDialogOptions["properties"] & object> = {
  file: ["openFile"],
  files: ["openFile", "multiSelections"],
  folder: ["openDirectory", "createDirectory"],
};
const ANSWERS: ReadonlyArray<{ label: string; choice: ClosingChoice }> = [
  { label: "Go on in the tray", choice: "tray" },
  { label: "Pause and quit", choice: "pause" },
  { label: "Cancel the jobs and quit", choice: "cancel" },
  { label: "Stay", choice: "stay" },
];

/** The chosen paths; none where the dialog was dismissed. */
export async function choose(window: BrowserWindow, { what, title, extensions, suggestion }: Choice): Promise<ReadonlyArray<string>> {
  const filters = extensions?.length ? [{ name: extensions.join(", "), extensions: [...extensions] }] : [];
  const options = { title, filters, ...(suggestion ? { defaultPath: suggestion } : {}) };
  if (what === "save") {
    const { canceled, filePath } = await dialog.showSaveDialog(window, options);
    return canceled ? [] : [filePath];
  }
  const { canceled, filePaths } = await dialog.showOpenDialog(window, { ...options, properties: PROPERTIES[what] });
  return canceled ? [] : filePaths;
}

export async function askAboutJobs(window: BrowserWindow, question: string): Promise<ClosingChoice> {
  const { response } = await dialog.showMessageBox(window, {
    type: "question",
    message: question,
    detail: "A paused job can be resumed on the page Jobs. A cancelled one keeps what it has scored.",
    buttons: ANSWERS.map(({ label }) => label),
    defaultId: 0,
    cancelId: ANSWERS.length - 1,
  });
  return ANSWERS[response]?.choice ?? "stay";
}
