import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { KEYS, variableOf } from "../../src/command/settings/names.ts";
import { type ReadSettings, trySettings } from "../../src/command/settings/read-settings.ts";
import { SETTING_NAMES, settingOf } from "../../src/command/settings/settings.ts";

const folder = mkdtempSync(join(tmpdir(), "modelgate-secrets-"));

function file(name: string, text: string, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

/** What a command is told by a file, variables and flags. */
function read(content: object, environment: Record<string, string> = {}, flags: object = {}): ReadSettings {
  return trySettings({ command: "serve", flags, environment, config: { path: "m.json", content } });
}

describe("a secret in a file of its own", () => {
  afterAll(() => rmSync(folder, { recursive: true }));

  it("is there for every secret setting, and for no other", () => {
    const secrets = SETTING_NAMES.filter((name) => settingOf(name).isSecret);
    const files = [...KEYS.values()].filter(({ isFile }) => isFile).map(({ name }) => name);
    expect(files).toEqual(secrets.map((name) => `${name}File`));
    expect(files).toEqual(
      expect.arrayContaining(["adminKeyFile", "postgres.passwordFile", "s3.secretKeyFile", "serversFile"]),
    );
    expect(variableOf("postgres.passwordFile")).toBe("MODELGATE_POSTGRES_PASSWORD_FILE");
  });

  it("is taken from a file, a variable or a flag, without the line break at its end alone", () => {
    const one = file("one", "first-key-of-three-with- spaces \n");
    const path = file("two", "second-key-of-three\r\n");
    const three = file("three", "third-key-of-three");
    expect(read({ postgres: { passwordFile: one } }).settings["postgres.password"]).toBe(
      "first-key-of-three-with- spaces ",
    );
    const environment = { MODELGATE_ADMIN_KEY_FILE: path };
    expect(read({ adminKeyFile: one }, environment).settings.adminKey).toBe("second-key-of-three");
    expect(read({}, environment, { adminKeyFile: three }).settings.adminKey).toBe("third-key-of-three");
    expect(read({}, environment, { adminKeyFile: three }).problems).toEqual([]);
    const servers = file("servers", "a=http://one\nb=http://two\n");
    expect(read({ serversFile: servers }).settings.servers).toHaveLength(2);
  });

  it("or the value itself counts by where it is given, and not both at one place", () => {
    const path = file("key", "key-in-a-file-of-its-own");
    const { settings, problems } = read(
      { adminKeyFile: path },
      { MODELGATE_ADMIN_KEY: "key-in-the-environment" },
    );
    expect({ key: settings.adminKey, problems }).toEqual({ key: "key-in-the-environment", problems: [] });
    expect(read({ adminKey: "key-in-the-file-itself", adminKeyFile: path }).problems).toEqual([
      '"adminKey" in m.json and "adminKeyFile" in m.json give the same; give one of them.',
    ]);
  });

  it("is warned of when others may read it", () => {
    for (const [mode, warnings] of [
      [0o640, 1],
      [0o604, 1],
      [0o600, 0],
      [0o400, 0],
    ] as const) {
      const path = file(`mode-${mode}`, "key-in-a-file-of-its-own", mode);
      const found = read({}, { MODELGATE_ADMIN_KEY_FILE: path }).warnings;
      expect(found).toHaveLength(warnings);
      if (warnings > 0)
        expect(found[0]).toBe(
          `others can read ${path}, which MODELGATE_ADMIN_KEY_FILE names; chmod 600 ${path}`,
        );
    }
  });

  it("that cannot be used is told by setting and path, and never by what it holds", () => {
    const none = join(folder, "none");
    const short = file("short", "s3cret");
    const large = file("large", "s3cret".repeat(20_000));
    const empty = file("empty", "\n");
    const environment = (path: string) => ({ MODELGATE_ADMIN_KEY_FILE: path });
    const problem = (path: string): string => read({}, environment(path)).problems.join("\n");
    const names = "MODELGATE_ADMIN_KEY_FILE names";
    expect(problem(none)).toBe(`${names} ${none}, which cannot be read (ENOENT).`);
    expect(problem(folder)).toBe(`${names} ${folder}, which cannot be read (EISDIR).`);
    expect(problem(large)).toBe(`${names} ${large}, which has more than 65536 bytes.`);
    expect(problem(empty)).toBe(`${names} ${empty}, which is empty.`);
    expect(problem(short)).toBe(
      `${names} ${short}, which cannot be understood; give 16 to 255 visible ASCII characters.`,
    );
    expect(read({ adminKeyFile: 5 }).problems).toEqual([
      '"adminKeyFile" in m.json must be the path of a file.',
    ]);
  });

  it("of what a command does not take is not read", () => {
    const environment = { MODELGATE_POSTGRES_PASSWORD_FILE: join(folder, "none") };
    const told = { flags: {}, environment, config: undefined };
    expect(trySettings({ ...told, command: "tasks" }).problems).toEqual([]);
    expect(trySettings({ ...told, command: "serve" }).problems).toHaveLength(1);
  });
});
