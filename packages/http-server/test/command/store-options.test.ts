import { describe, expect, it } from "vitest";
import { trySettings } from "../../src/command/settings/read-settings.ts";
import { postgresOptions } from "../../src/command/stores/postgres-options.ts";

function optionsOf(postgres: object) {
  const config = { path: "m.json", content: { store: "postgres", postgres } };
  return postgresOptions(trySettings({ command: "serve", flags: {}, environment: {}, config }).settings);
}

describe("what PostgreSQL's adapter is told", () => {
  it("has the password of the setting in the address, whatever is in it", () => {
    const password = "a/b@c:d%20?#é'";
    const { url = "" } = optionsOf({ url: "postgres://me:old@db:5433/gate?x=1", password });
    expect(decodeURIComponent(new URL(url).password)).toBe(password);
    expect(url).toMatch(/^postgres:\/\/me:.*@db:5433\/gate\?x=1$/);
  });

  it("leaves TLS to the address unless a setting speaks of it", () => {
    const url = "postgres://db/gate?sslmode=require&x=1";
    expect(optionsOf({ url })).toMatchObject({ url, tls: undefined });
    expect(optionsOf({ url, tls: { enabled: false } })).toMatchObject({
      url: "postgres://db/gate?x=1",
      tls: false,
    });
    expect(optionsOf({ url, tls: { enabled: true } }).tls).toMatchObject({ verify: true });
    expect(optionsOf({ url, tls: { verify: false } }).tls).toMatchObject({ verify: false });
    expect(optionsOf({ url, tls: { serverName: "db.internal" } }).url).not.toContain("sslmode");
  });
});
