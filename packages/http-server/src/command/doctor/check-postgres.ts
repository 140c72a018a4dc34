import type { PostgresInspection } from "@modelgate/adapters-storage/postgres";
import { printable } from "../output/printable.ts";
import { whereToGive } from "../settings/names.ts";
import type { Settings } from "../settings/settings.ts";
import { postgresOptions } from "../stores/postgres-options.ts";
import { hostOf, optionKey } from "../stores/store-failure.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";
import { checkRights } from "./postgres-rights.ts";

const CHECK = "PostgreSQL";
const OLDEST = 14;
/** Leases and deadlines go by the server's clock alone; a larger difference still says that nobody keeps one of both. */
const TOLERATED_MS = 60_000;

/** Looks at the database as the store would meet it. Throws `CommandError` for a file that cannot be read. */
export async function checkPostgres(settings: Settings): Promise<Finding[]> {
  const { inspectPostgres } = await import("@modelgate/adapters-storage/postgres");
  return postgresFindings(await inspectPostgres(postgresOptions(settings)), settings);
}

/** What an inspection says to whoever runs the gateway. */
export function postgresFindings(seen: PostgresInspection, settings: Settings): Finding[] {
  const at = `at ${hostOf(settings["postgres.url"])}:`;
  const lacksRights = (seen.missingRights ?? []).length > 0;
  // Without the right to read it, the schema cannot be looked at, which the missing right says.
  const problems = seen.problems.filter(({ step }) => step !== "schema" || !lacksRights);
  const faults = problems.map(({ message, field }) =>
    fail(CHECK, `${at} ${printable(message)}`, hintOf(field, seen.isReached)),
  );
  if (!seen.isReached || seen.serverVersion === undefined) return faults;
  return [
    ok(CHECK, greeting(seen, settings)),
    ...faults,
    ...checkServer(seen, at),
    ...checkPooler(seen, settings, at),
    ...checkRights(CHECK, seen, settings, at),
    ...(seen.schemaVersion === undefined ? [] : [checkSchema(seen, seen.schemaVersion, settings, at)]),
    ...checkTls(seen, settings),
    ...checkDurability(seen),
    ...checkConnections(seen, settings),
    ...checkClock(seen),
  ];
}

function hintOf(field: string | undefined, isReached: boolean): string {
  const key = field === undefined ? undefined : optionKey("postgres", field);
  if (key !== undefined) return `mend ${whereToGive(key)}`;
  return isReached
    ? "look at the log of the server"
    : `start the server, or mend ${whereToGive("postgres.url")}`;
}

function greeting({ serverVersion, connectMs = 0, database, tls }: PostgresInspection, settings: Settings) {
  const by = tls === undefined || tls === "none" ? "in the clear" : `by ${tls}`;
  const where = `${hostOf(settings["postgres.url"])}, database ${printable(database ?? "?")}`;
  return `${printable(serverVersion ?? "?")} answers at ${where}, ${by}, in ${Math.round(connectMs)} ms`;
}

function checkServer({ isSupported, isReadOnly, serverVersion }: PostgresInspection, at: string): Finding[] {
  const found: Finding[] = [];
  if (isSupported === false) {
    const text = `${at} version ${printable(serverVersion ?? "?")} is too old`;
    const hint = `use PostgreSQL ${OLDEST} or newer, and name it in ${whereToGive("postgres.url")}`;
    found.push(fail(CHECK, text, hint));
  }
  if (isReadOnly === true) {
    const hint = `name the primary server in ${whereToGive("postgres.url")}, or take default_transaction_read_only away`;
    found.push(fail(CHECK, `${at} the database takes no writes, as a standby does not`, hint));
  }
  return found;
}

function checkPooler({ isPooler }: PostgresInspection, settings: Settings, at: string): Finding[] {
  const key = whereToGive("postgres.pooler");
  const isTold = settings["postgres.pooler"];
  if (isPooler === true && !isTold) {
    const text = `${at} a pooler stands before the server, which keeps no session`;
    return [fail(CHECK, text, `set ${key} to true, or name the server itself`)];
  }
  if (isPooler === true)
    return [ok(CHECK, "a pooler stands before the server: what is new is looked for every pollMs")];
  if (isPooler !== false || !isTold) return [];
  const text = `${key} is true and no pooler is there, so that wake-ups are given up for nothing`;
  return [warn(CHECK, text, "set it to false")];
}

function checkSchema(
  { schema, neededSchemaVersion: needed }: PostgresInspection,
  version: number,
  settings: Settings,
  at: string,
): Finding {
  const text = `schema ${schema} has version ${version}`;
  if (version === needed) return ok(CHECK, text);
  if (version > needed) {
    return fail(
      CHECK,
      `${at} ${text}, newer than the ${needed} of this release`,
      "use the release that wrote it",
    );
  }
  const isMade = version > 0;
  if (!settings["postgres.migrate"]) {
    const lack = isMade ? `${text}, and this release needs ${needed}` : `schema ${schema} has no tables`;
    return fail(
      CHECK,
      `${at} ${lack}`,
      `run modelgate migrate, or set ${whereToGive("postgres.migrate")} to true`,
    );
  }
  if (!isMade) return ok(CHECK, `schema ${schema} has no tables yet; the first start makes them`);
  return warn(
    CHECK,
    `${text}, and this release writes ${needed}`,
    "make a backup; the next start brings it up to date",
  );
}

/** Of an address that is not told here, nobody knows whether it leaves this machine. */
function checkTls({ tls }: PostgresInspection, settings: Settings): Finding[] {
  const url = settings["postgres.url"];
  const host = url === undefined ? "" : new URL(url).hostname;
  if (tls !== "none" || /^(|localhost|127\..*|\[::1\])$/.test(host)) return [];
  const text = "what is sent to the server can be read on the way, as nothing encrypts it";
  return [warn(CHECK, text, `set ${whereToGive("postgres.tls.enabled")} to true`)];
}

function checkDurability({ fsync, synchronousCommit }: PostgresInspection): Finding[] {
  const lost = "so that accepted tasks may be lost";
  const found: Finding[] = [];
  if (fsync === false)
    found.push(
      warn(CHECK, `fsync is off, ${lost} with the machine's power`, "set fsync = on in its configuration"),
    );
  if (synchronousCommit === "off") {
    const hint = "set synchronous_commit = on for this database or its user";
    found.push(warn(CHECK, `synchronous_commit is off, ${lost} when the server ends`, hint));
  }
  return found;
}

function checkConnections(seen: PostgresInspection, settings: Settings): Finding[] {
  const { maxConnections: most, connectionsInUse: used, isPooler } = seen;
  if (most === undefined || used === undefined || isPooler === true) return [];
  // One of them is the doctor's own, and each process has one more for wake-ups.
  const wanted = settings["postgres.maxConnections"] + 1;
  if (most - used + 1 >= wanted) return [];
  const text = `${used} of ${most} connections are taken, and a process takes up to ${wanted}`;
  const hint = `lower ${whereToGive("postgres.maxConnections")}, or raise max_connections of the server`;
  return [warn(CHECK, text, hint)];
}

function checkClock({ clockDifferenceMs }: PostgresInspection): Finding[] {
  if (clockDifferenceMs === undefined || Math.abs(clockDifferenceMs) <= TOLERATED_MS) return [];
  const text = `its clock and that of this machine differ by ${Math.round(clockDifferenceMs / 1000)} s`;
  return [warn(CHECK, text, "set the clocks, and keep them by NTP")];
}
