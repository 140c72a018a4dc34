import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/command/settings/config-file/load-config.ts";
import { trySettings } from "../../src/command/settings/read-settings.ts";
import { readCredentials } from "../../src/command/settings/server-credentials.ts";
import { settingOf } from "../../src/command/settings/settings.ts";

const folder = mkdtempSync(join(tmpdir(), "modelgate-credentials-"));
const passwordFile = join(folder, "password");
writeFileSync(passwordFile, "from-a-file\n", { mode: 0o600 });

afterAll(() => rmSync(folder, { recursive: true }));

async function read(content: unknown, environment: Record<string, string> = {}) {
  const file = join(folder, "config.json");
  writeFileSync(file, JSON.stringify(content));
  const config = await loadConfig(file);
  return trySettings({ command: "serve", flags: {}, config, environment });
}

describe("credentials of servers", () => {
  it("are a server's own before those of all", async () => {
    const { settings, problems } = await read(
      {
        servers: {
          a: { url: "http://10.0.0.1:8000/", username: "u", passwordFile },
          b: [{ url: "http://10.0.0.2/cms", token: "t-of-b" }, "http://10.0.0.3"],
        },
        cms: { username: "all" },
      },
      { MODELGATE_CMS_PASSWORD: "of-all" },
    );
    expect(problems).toEqual([]);
    const { credentialsOf } = readCredentials(settings);
    expect(credentialsOf("http://10.0.0.1:8000")).toEqual({ username: "u", password: "from-a-file" });
    expect(credentialsOf("http://10.0.0.2/cms")).toEqual({ token: "t-of-b" });
    for (const url of ["http://10.0.0.3", "http://10.0.0.2", "http://172.17.0.2:8000"])
      expect(credentialsOf(url)).toEqual({ username: "all", password: "of-all" });
    const shown = settingOf("servers").shown?.(settings.servers) ?? "";
    expect(shown).toContain("a=http://10.0.0.1:8000 ");
    expect(shown).not.toMatch(/from-a-file|t-of-b|password/);
    for (const name of ["cms.password", "cms.token"] as const) expect(settingOf(name).isSecret).toBe(true);
  });

  it("are refused when something of them is missing, and never quoted", async () => {
    const url = "http://10.0.0.1";
    const cases: readonly [unknown, RegExp][] = [
      [{ servers: { a: { url, username: "u" } } }, /server of "a" needs username and password/],
      [{ servers: { a: { url, token: "s3cret", username: "u", password: "s3cret" } } }, /a token and a user/],
      [
        { servers: { a: { url, username: "u", passwordFile: join(folder, "none") } } },
        /cannot be read \(ENOENT\)/,
      ],
      [
        { servers: { a: { url, username: "u", password: "s3cret", passwordFile } } },
        /password and passwordFile/,
      ],
      [{ cms: { username: "u" } }, /give cms\.password \(MODELGATE_CMS_PASSWORD\)/],
      [{ cms: { token: "s3cret", password: "s3cret" } }, /cms\.token stands in place/],
    ];
    for (const [content, told] of cases) {
      const { problems } = await read(content);
      expect(problems.join("\n")).toMatch(told);
      expect(problems.join("\n")).not.toContain("s3cret");
    }
  });
});
