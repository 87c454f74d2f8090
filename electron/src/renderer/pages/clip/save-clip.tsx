// Saving one clip as files.
import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { Download } from "lucide-react";
import { call } from "../../api/client.js";
import { describe } from "../../components/error-notice.js";
import { usePathPicker } from "../../components/path-picker.js";
import type { Stretch } from "./clip-view.js";

interface Properties {
  path: string;
  detection: Stretch;
  className: string | null;
  score: number | null;
}

export function SaveClip({ path, detection, className, score }: Properties) {
  const picker = usePathPicker();
  const save = async () => {
    const [folder] = await picker.choose({ what: "folder", title: "Where the clip goes" });
    if (!folder) return;
    const chosen = { path, startSeconds: detection.start, endSeconds: detection.end, class: className, score };
    try {
      const done = await call("detections/export", { folder, detections: [chosen], include: ["audio", "spectrogram"] });
      const [failure] = done.failures;
      if (failure) throw new Error(failure.error.message);
      notifications.show({ color: "teal", title: "Saved", message: `Sound and spectrogram are in ${done.folder}` });
    } catch (error) {
      const { message, hint } = describe(error);
      notifications.show({ color: "red", title: "The clip was not saved", message: [message, hint].filter(Boolean).join(" "), autoClose: false });
    }
  };
  return (
    <>
      <Button size="xs" variant="default" leftSection={<Download size={15} />} onClick={() => void save()}>Save clip</Button>
      {picker.dialog}
    </>
  );
}
