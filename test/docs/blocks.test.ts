import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { transform } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { commandLines, faultOfLong, inWorld, shownCommands } from "./commands.ts";
import { type Block, readPages, root } from "./pages.ts";
import { openWorld, type World } from "./world.ts";

const run = promisify(execFile);
const pages = readPages();
const blocks = pages.flatMap((page) => page.blocks);
const at = ({ page, line }: Block): string => `${page}:${line}`;
const inLanguage = (...names: string[]): [string, Block][] => {
  return blocks.filter(({ language }) => names.includes(language)).map((block) => [at(block), block]);
};

/** Below the repository, so that packages are found as its own code finds them. */
const snippets = join(root, "node_modules/.cache/modelgate-docs");
const LANGUAGES = ["sh", "ts", "json", "text", "http", "ini", "yaml", "sql", "console", ""];

let world: World;
beforeAll(async () => {
  world = await openWorld();
  rmSync(snippets, { recursive: true, force: true });
  mkdirSync(snippets, { recursive: true });
}, 120_000);
afterAll(() => world?.close());

describe("every block of every page", () => {
  it("is in a language that is run, checked or only shown", () => {
    expect(blocks.filter(({ language }) => !LANGUAGES.includes(language)).map(at)).toEqual([]);
    expect(blocks.length).toBeGreaterThan(20);
  });

  it.each(inLanguage("json"))("is JSON: %s", (_at, { text }) => {
    expect(() => JSON.parse(text)).not.toThrow();
  });
});

describe("every command", () => {
  it.each(inLanguage("sh"))("runs: %s", async (_at, block) => {
    if (block.marks.includes("no-run")) return;
    for (const line of commandLines(block.text)) await tryLine(line);
  });

  it.each(inLanguage("console"))("gives the output that is shown: %s", async (_at, block) => {
    for (const { line, output } of shownCommands(block.text)) {
      if (faultOfLong(line) !== null) {
        await tryLine(line);
        continue;
      }
      const ran = await world.run(inWorld(line, world), 60_000, root);
      expect(ran.code, ran.output).toBe(0);
      // A long line may be broken in the page, to be read.
      expect(ran.output.replaceAll(/\s+/g, "")).toContain(output.replaceAll(/\s+/g, ""));
      await fetch(`${world.serverUrl}/_faults`, { method: "DELETE" });
    }
  });

  it.each(pages.map((page) => [page.path, page.prose] as const))(
    "in the prose of %s is there",
    (_path, prose) => {
      const said = [...prose.matchAll(/`((?:npm|node|npx) [^`]+|\.ci\/run)`/g)].map(([, line = ""]) => line);
      const faults = said.flatMap((line) => {
        const fault = faultOfLong(line.replaceAll(/[…]|\.\.\./g, "").trim());
        return typeof fault === "string" ? [`${line}: ${fault}`] : [];
      });
      expect(faults).toEqual([]);
    },
  );
});

async function tryLine(line: string): Promise<void> {
  if (/(^|&& )npm start/.test(line)) {
    const own = `npm start -- --port 0 --data-dir ${join(world.folder, "started")}`;
    const ran = await world.startAndStop(own, /Ctrl-C stops both/, root);
    // npm itself ends by the signal that stops it.
    expect([0, 143, "SIGTERM"], ran.output).toContain(ran.code);
    return;
  }
  if (/(^|&& )npm run demo/.test(line)) return; // A test of its own runs it.
  const fault = faultOfLong(line);
  if (fault !== null) {
    expect(fault, line).toBeUndefined();
    return;
  }
  const own = inWorld(line, world);
  if (/^modelgate serve\b(?!.*--help)/.test(own)) {
    const ran = await world.startAndStop(`${own} --port 0`, /listening on/);
    expect(ran, line).toMatchObject({ code: 0 });
    return;
  }
  const ran = await world.run(own, 60_000);
  // 1 tells of what was asked about, such as a task that failed; 2 and more are mistakes of the page.
  expect([0, 1], `${line}\n${ran.output}`).toContain(ran.code);
}

describe("every program", () => {
  const programs = inLanguage("ts").filter(([, block]) => sourceOf(block) === undefined);

  it("has the types that it should, strictly", async () => {
    for (const [index, [, block]] of programs.entries()) writeFileSync(fileOf(index), moduleOf(block));
    writeFileSync(join(snippets, "prelude.ts"), PRELUDE);
    const tsconfig = {
      extends: join(root, "tsconfig.base.json"),
      compilerOptions: {
        isolatedDeclarations: false,
        declaration: false,
        customConditions: [],
        noEmit: true,
      },
      include: ["*.ts"],
    };
    writeFileSync(join(snippets, "tsconfig.json"), JSON.stringify(tsconfig));
    const faults = await run(process.execPath, [
      join(root, "node_modules/typescript/bin/tsc"),
      "-p",
      snippets,
    ]).then(
      () => "",
      (error: { stdout: string }) => error.stdout,
    );
    const named = faults.replaceAll(
      /\S*snippet-(\d+)\.ts/g,
      (_all, index) => programs[Number(index)]?.[0] ?? "?",
    );
    expect(named).toBe("");
  });

  it.each(programs.map(([name, block], index) => [name, block, index] as const))(
    "runs: %s",
    async (_at, block, index) => {
      if (block.marks.includes("no-run")) return;
      const file = fileOf(index).replace(/\.ts$/, ".mjs");
      const { code } = await transform(inWorld(moduleOf(block), world), {
        loader: "ts",
        format: "esm",
        target: "node20",
      });
      const prelude = await transform(PRELUDE, { loader: "ts", format: "esm" });
      writeFileSync(join(snippets, "prelude.ts.mjs"), prelude.code);
      writeFileSync(file, `${code.replaceAll("./prelude.ts", "./prelude.ts.mjs")}\nprocess.exit();\n`);
      const cwd = join(world.folder, `run-${index}`);
      mkdirSync(cwd);
      await run(process.execPath, [file], { cwd, timeout: 60_000 });
    },
  );
});

/** Where a block with the mark `from=PATH` was cut from, beside its page. */
function sourceOf({ page, marks }: Block): string | undefined {
  const mark = marks.find((each) => each.startsWith("from="));
  return mark === undefined ? undefined : join(root, dirname(page), mark.slice("from=".length));
}

/** Lines without their indentation, which an excerpt loses. */
function flat(text: string): string {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join("\n");
}

describe("every excerpt", () => {
  const excerpts = blocks.flatMap((block): [string, Block, string][] => {
    const source = sourceOf(block);
    return source === undefined ? [] : [[at(block), block, source]];
  });

  it.each(excerpts)("stands in the file that it is from: %s", (_at, { text }, source) => {
    expect(flat(readFileSync(source, "utf8"))).toContain(flat(text));
  });
});

function fileOf(index: number): string {
  return join(snippets, `snippet-${index}.ts`);
}

/** A fragment speaks of a gateway that its reader has. */
const PRELUDE = `
import { createGateway, type Gateway } from "@modelgate/core";
import { memoryDiscovery, memoryLedger, memoryProtocol } from "@modelgate/core/memory";

export const store = { ledger: memoryLedger() };
export const gateway: Gateway = createGateway({
  ledger: store.ledger,
  discovery: memoryDiscovery([{ id: "one", url: "memory:one", models: ["nlp"], protocol: "memory", state: "ready" }]),
  protocols: [memoryProtocol({ handle: (call) => call.text(), operations: { process: { repeatable: true } } })],
});
await gateway.start();
`;

function moduleOf({ text }: Block): string {
  const own = text.replaceAll(/port: 8888\b/g, "port: 0");
  const names = ["gateway", "store"].filter((name) => {
    return (
      new RegExp(`\\b${name}\\b`).test(own) &&
      !new RegExp(`\\b(const|let) (\\{[^}]*\\b${name}\\b[^}]*\\}|${name})\\b`).test(own)
    );
  });
  return `${names.length === 0 ? "" : `import { ${names.join(", ")} } from "./prelude.ts";\n`}${own}\nexport {};\n`;
}
