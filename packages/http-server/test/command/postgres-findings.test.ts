import type { PostgresInspection } from "@modelgate/adapters-storage/postgres";
import { describe, expect, it } from "vitest";
import { postgresFindings } from "../../src/command/doctor/check-postgres.ts";
import { trySettings } from "../../src/command/settings/read-settings.ts";

const WELL: PostgresInspection = {
  isReached: true,
  connectMs: 3,
  serverVersion: "16.2",
  isSupported: true,
  database: "gate",
  user: "gate-user",
  tls: "TLSv1.3",
  schema: "modelgate",
  schemaVersion: 3,
  neededSchemaVersion: 3,
  missingRights: [],
  clockDifferenceMs: 20,
  synchronousCommit: "on",
  fsync: true,
  maxConnections: 100,
  connectionsInUse: 10,
  isReadOnly: false,
  isPooler: false,
  problems: [],
};

function find(seen: Partial<PostgresInspection>, postgres: object = {}): string[] {
  const content = { store: "postgres", postgres: { url: "postgres://db.internal/gate", ...postgres } };
  const { settings } = trySettings({
    command: "doctor",
    flags: {},
    environment: {},
    config: { path: "m", content },
  });
  return postgresFindings({ ...WELL, ...seen }, settings)
    .filter(({ level }) => level !== "ok")
    .map(({ level, text, hint }) => `${level} ${text} -> ${hint}`);
}

describe("what was seen of PostgreSQL", () => {
  it("is nothing to mend where all is well", () => {
    expect(find({})).toEqual([]);
    expect(find({ tls: "none" }, { url: "postgres://127.0.0.1/gate" })).toEqual([]);
    expect(find({ clockDifferenceMs: -60_000 })).toEqual([]);
  });

  it.each<[Partial<PostgresInspection>, object, RegExp]>([
    [
      { serverVersion: "13.9", isSupported: false },
      {},
      /^fail .*13\.9 is too old -> use PostgreSQL 14 or newer/,
    ],
    [{ isReadOnly: true }, {}, /^fail .*takes no writes.* -> name the primary server in postgres\.url/],
    [{ schemaVersion: 4 }, {}, /^fail .*version 4, newer than the 3 of this release/],
    [{ schemaVersion: 2 }, {}, /^warn .*version 2, and this release writes 3 -> make a backup/],
    [{ schemaVersion: 2 }, { migrate: false }, /^fail .*this release needs 3 -> run modelgate migrate/],
    [
      { isPooler: true },
      {},
      /^fail .*a pooler stands .* set postgres\.pooler \(MODELGATE_POSTGRES_POOLER\) to true/,
    ],
    [{}, { pooler: true }, /^warn .*no pooler is there/],
    [{ tls: "none" }, {}, /^warn .*nothing encrypts it -> set postgres\.tls\.enabled/],
    [{ fsync: false }, {}, /^warn fsync is off/],
    [{ synchronousCommit: "off" }, {}, /^warn synchronous_commit is off/],
    [{ connectionsInUse: 91 }, {}, /^warn 91 of 100 connections are taken, and a process takes up to 11/],
    [{ clockDifferenceMs: -90_000 }, {}, /^warn its clock .* differ by -90 s/],
    [
      { missingRights: ["USAGE on schema modelgate"] },
      {},
      /lacks USAGE on schema modelgate -> .*GRANT USAGE ON SCHEMA modelgate TO "gate-user"; GRANT SELECT/,
    ],
    [
      { missingRights: ["a", "b", "c", "d", "e", "f"] },
      {},
      /the user lacks a, b, c, d and 2 more -> .*GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA/,
    ],
    [
      { missingRights: ["CREATE on schema modelgate"], schemaVersion: 0 },
      {},
      /GRANT CREATE, USAGE ON SCHEMA modelgate TO "gate-user";$/,
    ],
  ])("is told, with what mends it: %j %j", (seen, postgres, expected) => {
    expect(find(seen, postgres)).toEqual([expect.stringMatching(expected)]);
  });

  it("asks of a user for no right that only a migration needs, unless he migrates", () => {
    const missingRights = ["UPDATE on modelgate.modelgate_schema"];
    expect(find({ missingRights })).toEqual([]);
    expect(find({ missingRights, schemaVersion: 2 })).toHaveLength(2);
    expect(find({ missingRights: ["CREATE on database gate"] }, { migrate: false })).toEqual([]);
  });

  it("is the fault alone where nobody answers", () => {
    const problems = [
      { step: "connect", code: "STORE_UNAVAILABLE", message: "it is gone", field: undefined },
    ] as const;
    const seen = { isReached: false, serverVersion: undefined, problems };
    expect(find(seen)).toEqual([
      "fail at db.internal: it is gone -> start the server, or mend postgres.url (MODELGATE_POSTGRES_URL)",
    ]);
  });
});
