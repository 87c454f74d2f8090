import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { fileOf, HOME_URL, isOwnUrl } from "./own-address.js";

const FOLDER = resolve("dist", "renderer");

describe("isOwnUrl", () => {
  it.each([HOME_URL, "app://dipper/", "app://dipper/index.html#/jobs"])("takes %s", (url) => {
    expect(isOwnUrl(url)).toBe(true);
  });

  it.each([
    "",
    "about:blank",
    "https://dipper/index.html",
    "file:///etc/passwd",
    "app://other/index.html",
    "app://dipper.example/index.html",
    "app://dipper@other/index.html",
    "app://user@dipper/index.html",
    "app://dipper:80/index.html",
  ])("refuses %s", (url) => {
    expect(isOwnUrl(url)).toBe(false);
  });
});

describe("fileOf", () => {
  it("names files of the renderer", () => {
    expect(fileOf("app://dipper/assets/a%20b.js?x#y", FOLDER)).toBe(join(FOLDER, "assets", "a b.js"));
    expect(fileOf("app://dipper/", FOLDER)).toBe(join(FOLDER, "index.html"));
  });

  it.each(["app://dipper/..%2f..%2fmain/main.js", "app://dipper/%5c..%5cx", "app://dipper/a%00b", "app://dipper/%E0%A4%A", "app://other/x"])(
    "refuses %s",
    (url) => {
      expect(fileOf(url, FOLDER)).toBeNull();
    },
  );
});
