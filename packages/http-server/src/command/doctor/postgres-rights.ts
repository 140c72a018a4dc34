import type { PostgresInspection } from "@modelgate/adapters-storage/postgres";
import { printable } from "../output/printable.ts";
import type { Settings } from "../settings/settings.ts";
import { type Finding, fail } from "./finding.ts";

/** So many are named; there may be one of each kind for each table. */
const MOST_NAMED = 4;

/** What the user may not do and must, and the statement that lets him. */
export function checkRights(
  check: string,
  seen: PostgresInspection,
  settings: Settings,
  at: string,
): Finding[] {
  const missing = (seen.missingRights ?? []).filter((right) => isNeeded(right, seen, settings));
  if (missing.length === 0) return [];
  const named = missing.slice(0, MOST_NAMED).join(", ");
  const rest = missing.length - MOST_NAMED;
  const text = `${at} the user lacks ${named}${rest > 0 ? ` and ${rest} more` : ""}`;
  return [fail(check, printable(text), printable(`let its owner run: ${grants(missing, seen)}`))];
}

function isNeeded(
  right: string,
  { schema, schemaVersion, neededSchemaVersion }: PostgresInspection,
  settings: Settings,
): boolean {
  const isOfMaking = right.startsWith("CREATE ");
  if (isOfMaking) return settings["postgres.migrate"];
  // Only a migration writes the version.
  if (!right.endsWith(` on ${schema}.modelgate_schema`) || right.startsWith("SELECT ")) return true;
  return settings["postgres.migrate"] && schemaVersion !== neededSchemaVersion;
}

function grants(
  missing: readonly string[],
  { schema, database = "", user = "" }: PostgresInspection,
): string {
  const to = `TO ${quoted(user)};`;
  if (missing.some((right) => right.startsWith("CREATE on database")))
    return `GRANT CREATE ON DATABASE ${quoted(database)} ${to}`;
  if (missing.some((right) => right.startsWith("CREATE on schema")))
    return `GRANT CREATE, USAGE ON SCHEMA ${schema} ${to}`;
  const tables = `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} ${to}`;
  return missing.some((right) => right.startsWith("USAGE"))
    ? `GRANT USAGE ON SCHEMA ${schema} ${to} ${tables}`
    : tables;
}

function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
