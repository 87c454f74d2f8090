// What goes into the installers. Everything that runs is bundled into dist/, so no package of node_modules is shipped, and
// as nothing native lies in app.asar, nothing is unpacked from it. Updating by itself is off: docs/release.md.
const { env } = require("node:process");

const standIn = env.DIPPER_ELECTRON_DIST ? { electronDist: env.DIPPER_ELECTRON_DIST } : {};

/** @type {import("electron-builder").Configuration} */
module.exports = {
  appId: "org.dipper.desktop",
  productName: "Dipper",
  artifactName: "dipper-${version}-${os}-${arch}.${ext}",
  directories: { output: env.DIPPER_PACKAGES || "../dist/desktop" },
  files: ["package.json", "dist/main/**", "dist/preload/**", "dist/renderer/**", "icons/icon.png", "!**/*.map", "!node_modules/**"],
  extraResources: [{ from: env.DIPPER_SIDECAR_FOLDER || "../dist/sidecar", to: "sidecar" }],
  asar: true,
  npmRebuild: false,
  publish: null,
  linux: { target: ["AppImage", "deb"], category: "Science", icon: "icons/icon.png", maintainer: "Dipper developers", executableName: "dipper" },
  mac: { target: [{ target: "dmg", arch: ["x64", "arm64"] }], category: "public.app-category.utilities", icon: "icons/icon.icns" },
  win: { target: ["nsis"], icon: "icons/icon.ico" },
  nsis: { oneClick: false, perMachine: false, allowToChangeInstallationDirectory: true },
  ...standIn,
};
