import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/command/settings/config-file/load-config.ts";
import { trySettings } from "../../src/command/settings/read-settings.ts";

const root = mkdtempSync(join(tmpdir(), "modelgate-config-file-"));
const modules = fileURLToPath(new URL("../../../../node_modules/", import.meta.url));
/** Where there are packages, as in a project; and where there are none. A module is read once: each test has its own. */
let project: string;
let bare: string;

function write(name: string, text: string, folder: string = project): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** What a command would go by. */
async function read(name: string, text: string, folder: string = project) {
  const config = await loadConfig(write(name, text, folder));
  return trySettings({ command: "serve", flags: {}, config, environment: {} });
}

describe("a configuration file", () => {
  beforeEach(() => {
    const own = mkdtempSync(join(root, "test-"));
    project = join(own, "project");
    bare = join(own, "bare");
    mkdirSync(join(project, "node_modules"), { recursive: true });
    mkdirSync(bare);
    symlinkSync(join(modules, "esbuild"), join(project, "node_modules/esbuild"));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const yaml = `
# Comments, anchors and lists are YAML's.
port: 9000
servers: { nlp: &one "http://one:8000", deid: [*one, "http://two"] }
retention: off
postgres:
  schema: own
  tls: { caFile: ca.pem }
s3: { partSizeBytes: 5242880 }
reaper:
`;
  const json = JSON.stringify({
    port: 9000,
    servers: { nlp: "http://one:8000", deid: ["http://one:8000", "http://two"] },
    retention: false,
    postgres: { schema: "own", tls: { caFile: "ca.pem" } },
    s3: { partSizeBytes: 5_242_880 },
    reaper: null,
  });
  const typed = `const port: number = 9000; export default { ...${json}, port } satisfies object;`;

  it.each([
    ["a.json", json],
    ["a.JSON", `\ufeff${json}`],
    ["a.jsonc", `// The port, "and" more.\n${json.replace(/}$/, ", /* no more */ }")}`],
    ["a.yaml", yaml],
    ["a.yml", json],
    ["a.mjs", `export default ${json}`],
    ["a.js", `module.exports = ${json}`],
    ["a.ts", typed],
    ["a.mts", typed],
  ])("is read as what its name says: %s", async (name, text) => {
    const { settings, problems } = await read(name, text);
    expect(problems).toEqual([]);
    expect(settings).toMatchObject({ port: 9000, retention: false, "postgres.schema": "own" });
    expect(settings.servers.map(({ url }) => url)).toEqual([
      "http://one:8000",
      "http://one:8000",
      "http://two",
    ]);
    expect(settings["postgres.tls.caFile"]).toBe("ca.pem");
    expect(settings["s3.partSizeBytes"]).toBe(5_242_880);
  });

  it("in TypeScript may have parts and packages, and leaves nothing behind", async () => {
    write("part.ts", 'export const port: number = 9000; export { sep } from "node:path";');
    const text = 'import { port } from "./part.ts"; import "esbuild"; export default { port };';
    expect((await read("a.ts", text)).settings.port).toBe(9000);
    expect(readdirSync(project).sort()).toEqual(["a.ts", "node_modules", "part.ts"]);
  });

  it("in TypeScript says what it needs on a Node that knows no types", async () => {
    if ("typescript" in process.features && process.features.typescript) return;
    const { problems } = await read("a.ts", typed, bare);
    expect(problems).toEqual([
      `The configuration file ${join(bare, "a.ts")} is TypeScript, which Node ${process.versions.node} reads from 22.18 on, and there is no esbuild to translate it; write it as .mjs.`,
    ]);
  });

  it.each([
    ["a.json", '{\n  "port": 1,\n  "adminKey": s3cret-marker\n}', /is not JSON( \(line 3, column \d+\))?\.$/],
    ["a.yaml", "port: 1\nadminKey: 's3cret-marker\n", /is not YAML \(line \d+, column \d+\)\.$/],
    ["a.yaml", "port: 1\nport: 2\n", /has a key twice \(line 2, column 1\)\.$/],
    ["a.yaml", "servers: *s3cret-marker\n", /is not YAML/],
    ["a.yaml", "", /must hold one object of settings\.$/],
    ["a.mjs", "export const port = 1;", /has no default export; write export default defineConfig/],
    ["a.mjs", "export default undefined;", /has no default export/],
    ["a.ts", "export default {\n  s3cret-marker: }", /cannot be (translated|loaded) \(.*line 2.*\)\.$/],
    ["a.toml", "port = 1", /has a name that tells no format; end it in \.json, \.jsonc, \.yaml, /],
    ["a", "{}", /has a name that tells no format/],
  ])("that cannot be used is told without what it holds: %s %j", async (name, text, message) => {
    const { problems } = await read(name, text);
    expect(problems).toEqual([expect.stringMatching(message)]);
    expect(problems.join()).not.toContain("s3cret");
    expect(readdirSync(project).filter((each) => each.startsWith("."))).toEqual([]);
  });

  it("that is not there is told by its name", async () => {
    for (const name of ["none.json", "none.yaml", "none.mjs", "none.ts"]) {
      const path = join(root, name);
      expect(await loadConfig(path)).toEqual({
        path,
        code: "ENOENT",
        problem: `The configuration file ${path} cannot be read (ENOENT).`,
      });
    }
    expect(await loadConfig(dirname(join(project, "x.json")))).toHaveProperty("problem");
  });

  it.each([
    [{ postgres: { uri: "x" } }, 'has an unknown key "postgres.uri". Did you mean postgres.url?'],
    [
      { postgres: { tls: { cafile: "x" } } },
      'has an unknown key "postgres.tls.cafile". Did you mean postgres.tls.caFile?',
    ],
    [{ postgress: {} }, 'has an unknown key "postgress".'],
    [{ "postgres.url": "s3cret" }, 'has "postgres.url" as one key; write it as {"postgres": {"url": …}}.'],
    [{ hostFile: "x" }, 'has an unknown key "hostFile".'],
  ])("with a key that is none is refused: %j", async (content, message) => {
    const { problems } = await read("a.json", JSON.stringify(content));
    expect(problems).toEqual([`${join(project, "a.json")} ${message}`]);
  });

  it("with a value where keys belong is refused without it", async () => {
    const { problems } = await read("a.json", '{"postgres":"postgres://u:s3cret@h/d"}');
    expect(problems).toEqual([
      expect.stringMatching(/^"postgres" in .* must be an object with the keys url, urlFile, /),
    ]);
    expect(problems.join()).not.toContain("s3cret");
  });
});
