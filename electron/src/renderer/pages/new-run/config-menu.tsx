// Config files: a run written down, to be run again, elsewhere or on a cluster.
import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { FileDown, FileUp } from "lucide-react";
import type { Config } from "../../../generated/contract.js";
import { call } from "../../api/client.js";
import { useSurroundings } from "../../api/start.js";
import { describe } from "../../components/error-notice.js";
import { usePathPicker } from "../../components/path-picker.js";
import { configOf, draftOf } from "./draft.js";
import type { Draft } from "./draft.js";

export function ConfigMenu({ draft, onLoad }: { draft: Draft; onLoad: (draft: Draft) => void }) {
  const picker = usePathPicker();
  const { addRecent } = useSurroundings();
  const load = async () => {
    const [path] = await picker.choose({ what: "file", title: "Open a config file", extensions: ["json", "yml", "yaml"] });
    if (!path) return;
    await reporting("The config was not opened", async () => {
      const { config, warnings } = await call("config/load", { path });
      const { draft: loaded, lost } = draftOf(config);
      onLoad(loaded);
      await addRecent("configs", path);
      const notes = [...warnings, ...lost.map((place) => `${place} has no field here and was left out.`)];
      if (notes.length > 0) notifications.show({ color: "yellow", title: "Opened, but", message: notes.join(" "), autoClose: false });
    });
  };
  const save = async () => {
    const [path] = await picker.choose({ what: "save", title: "Save as a config file", suggestion: "run.json", extensions: ["json"] });
    if (!path) return;
    await reporting("The config was not saved", async () => {
      const saved = await call("config/save", { path, config: configOf(draft) as unknown as Config });
      await addRecent("configs", path);
      notifications.show({ color: "teal", title: "Saved", message: saved.path });
    });
  };
  return (
    <>
      <Button variant="default" size="xs" leftSection={<FileUp size={15} />} onClick={() => void load()}>Open config</Button>
      <Button variant="default" size="xs" leftSection={<FileDown size={15} />} onClick={() => void save()}>Save config</Button>
      {picker.dialog}
    </>
  );
}

async function reporting(title: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const { message, hint } = describe(error);
    notifications.show({ color: "red", title, message: [message, hint].filter(Boolean).join(" "), autoClose: false });
  }
}
