import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";

const run = promisify(execFile);
const source = (path: string): string =>
  JSON.stringify(fileURLToPath(new URL(`../../src/${path}`, import.meta.url)));

const SCRIPT = `
import { createGateway } from ${source("index.ts")};
import { memoryDiscovery, memoryProtocol } from ${source("memory/index.ts")};
const handle = () => new Promise((resolve) => setTimeout(resolve, 50, "done").unref());
const gateway = createGateway({
  discovery: memoryDiscovery([{ id: "s", url: "memory:", models: ["m"], protocol: "memory", state: "ready" }]),
  protocols: [memoryProtocol({ handle, operations: { work: { repeatable: true } } })],
});
await gateway.start();
const { id } = await gateway.submit({ model: "m", operation: "work" });
console.log((await gateway.wait(id)).state);
`;

describe("a pending wait", () => {
  it("keeps the process alive, and nothing does once it is over", async () => {
    const options = { bundle: true, format: "esm", platform: "node", write: false } as const;
    const bundled = await build({
      ...options,
      stdin: { contents: SCRIPT, resolveDir: process.cwd() },
      banner: { js: BANNER },
    });
    const text = bundled.outputFiles[0]?.text ?? "";
    const folder = mkdtempSync(join(tmpdir(), "modelgate-wait-"));
    const file = join(folder, "script.mjs");
    writeFileSync(file, text);
    const { stdout } = await run(process.execPath, [file], { timeout: 15_000 });
    rmSync(folder, { recursive: true });
    expect(stdout).toBe("succeeded\n");
  });
});

/** Bundled CommonJS (undici) asks for Node's own modules by `require`. */
const BANNER = 'import { createRequire } from "node:module"; const require = createRequire("file:///");';
