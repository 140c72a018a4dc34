import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { COMMANDS } from "../../src/command/command-table.ts";
import { readFlags } from "../../src/command/read-flags.ts";
import { loadConfig } from "../../src/command/settings/config-file/load-config.ts";
import { type ReadSettings, readSettings, trySettings } from "../../src/command/settings/read-settings.ts";
import type { CommandName } from "../../src/command/settings/setting.ts";
import { UsageError } from "../../src/command/usage-error.ts";

const folder = mkdtempSync(join(tmpdir(), "modelgate-settings-"));

async function told(args: readonly string[], environment: Record<string, string>, command: CommandName) {
  const spec = COMMANDS.find(({ name }) => name === command);
  if (spec === undefined) throw new Error(`there is no ${command}`);
  const { settings: flags, config: path = environment["MODELGATE_CONFIG"] } = readFlags(spec, args);
  const config = path === undefined ? undefined : await loadConfig(path);
  return { command, flags, config, environment };
}

async function read(
  args: readonly string[] = [],
  environment: Record<string, string> = {},
  command: CommandName = "serve",
): Promise<ReadSettings> {
  return readSettings(await told(args, environment, command));
}

function file(content: unknown): string {
  const path = join(folder, "modelgate.json");
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

describe("settings", () => {
  afterAll(() => rmSync(folder, { recursive: true }));

  it("have defaults", async () => {
    expect((await read()).settings).toMatchObject({
      host: "127.0.0.1",
      port: 8888,
      dataDir: ".modelgate",
      servers: [],
      leaseMs: 10_000,
      retention: { payloadMs: 604_800_000, resultMs: 604_800_000, rowMs: 2_592_000_000 },
      metrics: true,
      jsonLogs: false,
      logLevel: "info",
    });
    expect((await read()).settings).toMatchObject({ adminKey: undefined, basePath: undefined });
  });

  it("come from flags before the environment before the file before the defaults", async () => {
    const config = file({ port: 1, host: "0.0.0.0", leaseMs: 111, pollMs: 11 });
    const environment = { MODELGATE_PORT: "2", MODELGATE_HOST: "::1", MODELGATE_LEASE_MS: "222" };
    const { settings } = await read(["--config", config, "--port", "3", "--host=::"], environment);
    expect(settings).toMatchObject({ port: 3, host: "::", leaseMs: 222, pollMs: 11, inlineBytes: 32_768 });
    expect((await read([], { ...environment, MODELGATE_CONFIG: config })).settings.pollMs).toBe(11);
  });

  it("say of a server how much it does at once", async () => {
    const servers = [{ name: "a", url: "http://h:1/x", limit: 4 }];
    expect((await read(["--server", "a=http://h:1/x#limit=4"])).settings.servers).toEqual(servers);
    const asObject = { a: { url: "http://h:1/x", limit: 4 } };
    expect((await read(["--config", file({ servers: asObject })])).settings.servers).toEqual(servers);
    for (const wrong of ["#limit=0", "#limit=10001", "#limit=", "#4", "#", "#limit=4#limit=4"])
      await expect(read(["--server", `a=http://h:1/x${wrong}`])).rejects.toThrow(/--server .*#limit=N/);
  });

  it("name servers in each of three ways", async () => {
    const servers = [
      { name: "a", url: "http://one:8000" },
      { name: "a", url: "http://two/base?x=1" },
      { name: "b", url: "https://user:pw=1@three" },
    ];
    const texts = servers.map(({ name, url }) => `${name}=${url}`);
    expect((await read(texts.flatMap((text) => ["--server", text]))).settings.servers).toEqual(servers);
    expect((await read([], { MODELGATE_SERVERS: texts.join(", ") })).settings.servers).toEqual(servers);
    const asObject = { a: [servers[0]?.url, servers[1]?.url], b: servers[2]?.url };
    expect((await read(["--config", file({ servers: asObject })])).settings.servers).toEqual(servers);
    expect((await read(["--config", file({ servers: texts })])).settings.servers).toEqual(servers);
  });

  it("say how long things are kept, or that they are kept for good", async () => {
    expect((await read(["--retention", "off"])).settings.retention).toBe(false);
    expect((await read(["--config", file({ retention: false })])).settings.retention).toBe(false);
    const expected = { payloadMs: 5, resultMs: 604_800_000, rowMs: 7 };
    expect((await read([], { MODELGATE_RETENTION: "payloadMs=5,rowMs=7" })).settings.retention).toEqual(
      expected,
    );
    expect(
      (await read(["--config", file({ retention: { payloadMs: 5, rowMs: 7 } })])).settings.retention,
    ).toEqual(expected);
  });

  it.each([
    [["--prot", "1"], "--prot is not a flag of serve. Did you mean --port?"],
    [["--datadir", "x"], "--datadir is not a flag of serve. Did you mean --data-dir?"],
    [["--xyzzy"], "--xyzzy is not a flag of serve."],
    [["-x"], "-x is not a flag of serve."],
    [["--port"], "--port needs a value."],
    [["--port", "--host", "x"], "--port needs a value."],
    [["--help=yes"], "--help takes no value."],
    [["now"], '"now" is not understood after serve.'],
  ])("refuse %j", async (args, message) => {
    await expect(read(args)).rejects.toThrow(new UsageError(message));
  });

  it.each([
    [["--port", "x"], '--port is "x"; give a whole number from 0 to 65535.'],
    [["--port="], '--port is ""; give a whole number from 0 to 65535.'],
    [["--port", "65536"], '--port is "65536"; give a whole number from 0 to 65535.'],
    [["--lease-ms", "1e3"], '--lease-ms is "1e3"; give a whole number from 100 to 86400000.'],
    [["--log-level", "loud"], '--log-level is "loud"; give error, warn, info, debug.'],
    [["--host", ""], '--host is ""; give a text that is not empty.'],
  ])("refuse the value in %j", async (args, message) => {
    await expect(read(args)).rejects.toThrow(new UsageError(message));
  });

  it.each(["nlp", "=http://x", "nlp=", "nlp=ftp://x:secret@y", "nlp=secret"])(
    "refuse the server %j without repeating what may be a secret",
    async (server) => {
      await expect(read(["--server", server])).rejects.toThrow(
        new UsageError(
          "--server cannot be understood; give NAME=URL or NAME=URL#limit=N, where URL begins with http:// or https:// and N is from 1 to 10,000.",
        ),
      );
    },
  );

  it("refuse a wrong variable by its name, and every mistake at once", async () => {
    await expect(read([], { MODELGATE_PORT: "x", MODELGATE_POLL_MS: "0" })).rejects.toThrow(
      /MODELGATE_PORT is "x"; .*\nMODELGATE_POLL_MS is "0"; /,
    );
  });

  it("pass over variables that are set to nothing, and warn of those that nobody reads", async () => {
    const { settings, warnings } = await read([], { MODELGATE_PORT: "", MODELGATE_PROT: "1", OTHER: "x" });
    expect(settings.port).toBe(8888);
    expect(warnings).toEqual(["MODELGATE_PROT is not a variable of modelgate. Did you mean MODELGATE_PORT?"]);
  });

  it.each([
    [{ prot: 1 }, /has an unknown key "prot"\. Did you mean port\?$/],
    [{ prot: 1, pollMs: 0 }, /"prot".*\n"pollMs" in .* is 0; give/],
    [{ port: true }, /^"port" in .*modelgate\.json is true; give a whole number/],
    [{ servers: { nlp: 5 } }, /^"servers" in .* cannot be understood; give NAME=URL/],
    [{ retention: { rows: 5 } }, /^"retention" in .*; give "off", or ages/],
    [[], /must hold one object of settings\.$/],
    ["{", /is not JSON \(line 1, column 2\)\.$/],
  ])("refuse a file with %j", async (content, message) => {
    await expect(read(["--config", file(content)])).rejects.toThrow(message);
  });

  it("pass over a null in a file", async () => {
    expect((await read(["--config", file({ port: null, host: "::" })])).settings).toMatchObject({
      port: 8888,
      host: "::",
    });
  });

  it("take a switch alone, or with a value after an equals sign", async () => {
    expect((await read(["--json-logs", "--metrics=off"])).settings).toMatchObject({
      jsonLogs: true,
      metrics: false,
    });
    expect((await read([], { MODELGATE_JSON_LOGS: "1", MODELGATE_RUNS: "No" })).settings).toMatchObject({
      jsonLogs: true,
      runs: false,
    });
    await expect(read(["--metrics=perhaps"])).rejects.toThrow('--metrics is "perhaps"; give true or false.');
  });

  it("never repeat a key or an address that cannot be understood", async () => {
    for (const [variable, value] of [
      ["MODELGATE_ADMIN_KEY", "too secret"],
      ["MODELGATE_URL", "ftp://user:secret@host"],
    ] as const) {
      await expect(read([], { [variable]: value }, "tasks")).rejects.toThrow(
        /^MODELGATE_\w+ cannot be understood; give/,
      );
      await expect(read([], { [variable]: value }, "tasks")).rejects.not.toThrow(/secret/);
    }
  });

  it("of other commands are no concern of this one", async () => {
    expect((await read([], { MODELGATE_PORT: "x" }, "tasks")).problems).toEqual([]);
    expect(
      (await read(["--config", file({ port: true, url: "http://here:1" })], {}, "tasks")).settings.url,
    ).toBe("http://here:1");
    await expect(read(["--port", "1"], {}, "tasks")).rejects.toThrow("--port is not a flag of tasks.");
  });

  it("can be read in spite of what is wrong, for whoever looks for faults", async () => {
    const { settings, problems } = trySettings(
      await told(["--port", "x", "--lease-ms", "200"], { MODELGATE_POLL_MS: "0" }, "doctor"),
    );
    expect(settings).toMatchObject({ port: 8888, leaseMs: 200, pollMs: 500 });
    expect(problems).toEqual([
      '--port is "x"; give a whole number from 0 to 65535.',
      'MODELGATE_POLL_MS is "0"; give a whole number from 1 to 86400000.',
    ]);
  });

  it("refuse a file that is not there", async () => {
    await expect(read(["--config", join(folder, "none.json")])).rejects.toThrow(
      /cannot be read \(ENOENT\)\.$/,
    );
  });
});
