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

/** Three values of each setting, as texts. */
function samplesOf(name: SettingName): readonly [string, string, string] {
  const { kind } = settingOf(name);
  if (name === "servers") return ["a=http://one", "b=http://two", "c=http://three"];
  if (name === "retention") return ["rowMs=1", "rowMs=2", "off"];
  if (name === "logLevel") return ["error", "warn", "debug"];
  if (name === "basePath") return ["/one", "/two", "/three"];
  if (name === "url") return ["http://one", "http://two", "http://three"];
  if (name === "adminKey") return ["first-key-of-three", "second-key-of-three", "third-key-of-three"];
  if (name === "postgres.url") return ["postgres://one/a", "postgres://two/b", "postgres://three/c"];
  if (name === "s3.endpoint") return ["http://one", "http://two", "http://three"];
  if (name === "store" || name === "wakeups" || name === "objects" || /addressing|encryption/.test(name)) {
    const [first = "", second = ""] = kind.type.replaceAll("`", "").split(", ");
    return [first, second, first];
  }
  if (kind.placeholder === undefined) return ["true", "false", "true"];
  if (!kind.type.includes("whole number")) return ["one", "two", "three"];
  const least = Number(/from (\d+)/.exec(kind.type)?.[1]);
  return [String(least), String(least + 1), String(least + 2)];
}

describe("every setting", () => {
  afterAll(() => rmSync(folder, { recursive: true }));

  describe.each(SETTING_NAMES)("%s", (name) => {
    const spec = COMMANDS.find((command) => command.name === settingOf(name).commands[0]);
    const [inFile, inEnvironment, inFlag] = samplesOf(name);
    const readingOf = (given: string): unknown => {
      const read = settingOf(name).kind.read(given);
      return "value" in read ? read.value : read.fix;
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
