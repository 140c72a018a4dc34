import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { story } from "../src/story.ts";

const program = fileURLToPath(new URL("../dist/main.js", import.meta.url));

it("happens as it is told, and as the built program tells it", async () => {
  const lines: string[] = [];
  await story((line) => lines.push(line));
  const { stdout } = await promisify(execFile)(process.execPath, [program]);
  expect(stdout.trimEnd().split("\n")).toEqual(lines);
  expect(lines.length).toBeGreaterThan(2);
});
