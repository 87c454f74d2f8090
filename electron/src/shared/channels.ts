// Names of what is sent between Electron's main process and the preload script.
export const CHANNELS = {
  call: "dipper:call",
  cancel: "dipper:cancel",
  command: "dipper:command",
  progress: "dipper:progress",
  event: "dipper:event",
} as const;
