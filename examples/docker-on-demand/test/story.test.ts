import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { requireService } from "../../../packages/adapters-storage/test/support/services.ts";
import { openEngine } from "../src/engine.ts";
import { story } from "../src/story.ts";

const socketPath = requireService("DOCKER_SOCKET");
const program = fileURLToPath(new URL("../dist/main.js", import.meta.url));
/** Events of two gateways arrive as they do; what each of them and the story tells keeps its order. */
const toldBy = (who: string, lines: readonly string[]): string[] =>
  lines.flatMap((line) => new RegExp(` s {2}${who} +(.*?)(?: {2}|$)`).exec(line)?.[1] ?? []);

describe.skipIf(socketPath === undefined)("on a real Docker Engine", () => {
  it("happens as it is told, and as the built program tells it", { timeout: 90_000 }, async () => {
    const lines: string[] = [];
    const engine = await openEngine(() => {});
    await story(engine.socketPath, (line) => lines.push(line));
    await engine.close();
    const { stdout } = await promisify(execFile)(process.execPath, [program]);
    const told = toldBy("story", stdout.split("\n"));
    expect(told).toEqual(toldBy("story", lines));
    expect(told.at(-1)).toBe("nothing is left");
  });
});
