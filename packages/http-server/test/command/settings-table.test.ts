import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createGateway } from "@modelgate/core";
import { memoryDiscovery } from "@modelgate/core/memory";
import { afterAll, describe, expect, it } from "vitest";
import { COMMANDS } from "../../src/command/command-table.ts";
import { readFlags } from "../../src/command/read-flags.ts";
import { loadConfig } from "../../src/command/settings/config-file/load-config.ts";
import { flagOf, variableOf } from "../../src/command/settings/names.ts";
import { trySettings } from "../../src/command/settings/read-settings.ts";
import { SETTING_NAMES, type SettingName, settingOf } from "../../src/command/settings/settings.ts";

const folder = mkdtempSync(join(tmpdir(), "modelgate-settings-table-"));
const page = readFileSync(new URL("../../../../docs/reference/configuration.md", import.meta.url), "utf8");

type Samples = readonly [string, string, string];

const OWN_SAMPLES: Readonly<Partial<Record<SettingName, Samples>>> = {
  servers: ["a=http://one", "b=http://two", "c=http://three"],
  "direct.share": ["0.25", "0.5", "1"],
  retention: ["rowMs=1", "rowMs=2", "off"],
  basePath: ["/one", "/two", "/three"],
  adminKey: ["first-key-of-three", "second-key-of-three", "third-key-of-three"],
  "postgres.url": ["postgres://one/a", "postgres://two/b", "postgres://three/c"],
  "redis.url": ["redis://one", "rediss://two:1/2", "redis://u:p@three"],
  "redis.sentinels.nodes": ["one", "two:1", "[::1]:3"],
  "redis.cluster.nodes": ["redis://one", "redis://two:1,redis://two:2", "rediss://three"],
  "rabbitmq.url": ["amqp://one", "amqps://two:1/v", "amqp://u:p@three"],
  "rabbitmq.urls": ["amqp://one", "amqp://two:1,amqp://two:2", "amqps://three"],
  "docker.host": ["tcp://one:1", "https://two:2", "unix:///three"],
  "docker.proxyUrl": ["http://one/{model}", "http://two/{model}", "http://{name}"],
  "docker.publish": ["127.0.0.1", "::1", "0.0.0.0"],
  "docker.labels": ["ttl=one", "ttl=two", "ttl=three"],
  "docker.hostPaths": ["/one", "/two", "/three"],
  "docker.platform": ["linux/one", "linux/two", "linux/three"],
  "docker.registries": ["one", "two", "three"].map(
    (host) => `{"${host}":{"username":"u","password":"p"}}`,
  ) as unknown as Samples,
};

/** Three values of each setting, as texts. */
function samplesOf(name: SettingName): Samples {
  const { kind } = settingOf(name);
  const { type, placeholder } = kind;
  const own = OWN_SAMPLES[name];
  if (own !== undefined) return own;
  if (placeholder === undefined) return ["true", "false", "true"];
  if (placeholder === "URL") return ["http://one", "http://two", "http://three"];
  if (placeholder === "NAME=PATH") return ["a=/one", "b=/two", "c=/three"];
  if (/^(`\w[\w-]*`(, )?)+$/.test(type)) {
    const [first = "", second = "", third = first] = type.replaceAll("`", "").split(", ");
    return [first, second, third];
  }
  if (type.includes("a size such as")) return ["7m", "8388608", "9G"];
  if (type.startsWith("number from")) return ["0.5", "1.5", "2"];
  if (!type.includes("whole number")) return ["one", "two", "three"];
  const least = Number(/from (\d+)/.exec(type)?.[1]);
  return [String(least), String(least + 1), String(least + 2)];
}

describe("every setting", () => {
  afterAll(() => rmSync(folder, { recursive: true }));

  describe.each(SETTING_NAMES)("%s", (name) => {
    const spec = COMMANDS.find((command) => command.name === settingOf(name).commands[0]);
    const [inFile, inEnvironment, inFlag] = samplesOf(name);
    const readingOf = (given: string): unknown => {
      const read = settingOf(name).kind.read(given);
      if ("value" in read) return read.value;
      throw new Error(`"${given}" is no value of ${name}: ${read.fix}`);
    };

    it("is taken from a flag before the environment before the file before its default", async () => {
      if (spec === undefined) throw new Error("no command takes it");
      const config = join(folder, `${name}.json`);
      const nested = name.split(".").reduceRight<unknown>((value, level) => ({ [level]: value }), inFile);
      writeFileSync(config, JSON.stringify(nested));
      const loaded = await loadConfig(config);
      const environment = { [variableOf(name)]: inEnvironment };
      const value = (args: readonly string[], variables: Record<string, string>): unknown => {
        const { settings: flags, config: file } = readFlags(spec, args);
        const told = {
          command: spec.name,
          flags,
          config: file === undefined ? undefined : loaded,
          environment: variables,
        };
        return trySettings(told).settings[name];
      };
      expect(value([], {})).toEqual(settingOf(name).default);
      expect(value(["--config", config], {})).toEqual(readingOf(inFile));
      expect(value(["--config", config], environment)).toEqual(readingOf(inEnvironment));
      expect(value(["--config", config, `--${flagOf(name, spec.name)}=${inFlag}`], environment)).toEqual(
        readingOf(inFlag),
      );
    });
  });
});

/** Settings that are options of a gateway, and what they are called there. */
const GATEWAY_OPTIONS: Readonly<Partial<Record<SettingName, (value: number) => object>>> = {
  leaseMs: (leaseMs) => ({ leaseMs }),
  pollMs: (pollMs) => ({ pollMs }),
  inlineBytes: (inlineBytes) => ({ inlineBytes }),
  maxBodyBytes: (maxPayloadBytes) => ({ maxPayloadBytes }),
  maxWaitingTasks: (tasks) => ({ maxWaiting: { tasks } }),
  maxWaitingBytes: (bytes) => ({ maxWaiting: { bytes } }),
  boostMs: (boostMs) => ({ boostMs }),
  waitMs: (waitMs) => ({ waitMs }),
  noServerMs: (noServerMs) => ({ noServerMs }),
  maxFailures: (maxFailures) => ({ maxFailures }),
  idempotencyMs: (idempotencyMs) => ({ idempotencyMs }),
  modelMemoryMs: (modelMemoryMs) => ({ modelMemoryMs }),
  defaultLimit: (defaultLimit) => ({ defaultLimit }),
};

describe("a setting of the gateway", () => {
  const discovery = memoryDiscovery();

  it.each(Object.entries(GATEWAY_OPTIONS))("%s takes what the gateway takes", (name, optionOf) => {
    const { kind } = settingOf(name as SettingName);
    const [, least = "", most = String(Number.MAX_SAFE_INTEGER)] =
      /from (\d+)(?: to (\d+))?/.exec(kind.type) ?? [];
    const make = (value: number) => () => createGateway({ discovery, ...optionOf(value) });
    expect(make(Number(least))).not.toThrow();
    expect(make(Number(most))).not.toThrow();
    expect(make(Number(least) - 1)).toThrow();
    if (Number(most) < Number.MAX_SAFE_INTEGER) expect(make(Number(most) + 1)).toThrow();
  });
});

describe("docs/reference/configuration.md", () => {
  it("has the row of each setting as it is", () => {
    const script = fileURLToPath(new URL("../../../../scripts/reference-pages.mjs", import.meta.url));
    const { stderr } = spawnSync(process.execPath, [script, "--check"], { encoding: "utf8" });
    expect(stderr).not.toContain("configuration.md");
    const rows = page
      .split("<!-- /settings -->")[0]
      ?.split("\n")
      .filter((line) => line.startsWith("| `"));
    expect(rows?.map((row) => row.split("`")[1])).toEqual(SETTING_NAMES);
  });
});
