import { expect, test } from "vitest";
import { importedSentence } from "./sentences.js";

const files = (...paths: string[]) => paths.map((path) => ({ path, sizeBytes: 1 }));

test("what was taken over, and what was here already, is told in one sentence", () => {
  expect(importedSentence({ imported: files("a", "b", "c"), present: 1 })).toBe("3 files were taken over; 1 was here already.");
  expect(importedSentence({ imported: files("a"), present: 0 })).toBe("1 file was taken over.");
});

test("a folder without anything new says so", () => {
  expect(importedSentence({ imported: [], present: 2 })).toBe("Nothing new; 2 were here already.");
  expect(importedSentence({ imported: [], present: 0 })).toBe("There were no weights in this folder.");
});
