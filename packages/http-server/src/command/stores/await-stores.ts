import { GatewayError, type GatewayErrorCode, type Ledger } from "@modelgate/core";
import { CommandError } from "../command-error.ts";
import type { Finding } from "../doctor/finding.ts";
import { EXIT } from "../exit-codes.ts";
import type { Log } from "../log.ts";
import type { Settings } from "../settings/settings.ts";
import { lookAtBrokers } from "./look-at-brokers.ts";
import type { Stores } from "./open-stores.ts";
import { postgresOptions } from "./postgres-options.ts";
import { retryStore } from "./retry-store.ts";
import { s3Options } from "./s3-options.ts";

export interface AwaitOptions {
  readonly settings: Settings;
  readonly log: Pick<Log, "warn" | "info">;
  readonly signal: AbortSignal;
}

/** What stood in the way of an inspection. */
interface Problem {
  readonly code: GatewayErrorCode;
  readonly message: string;
  readonly field: string | undefined;
}

/** Resolves once every store can be used; brokers are not waited for. Rejects with `CommandError`, or with the reason of `signal`. */
export async function awaitStores(
  { ledger }: Stores,
  { settings, log, signal }: AwaitOptions,
): Promise<void> {
  let hasWaited = false;
  const onWait = (text: string, restMs: number): void => {
    hasWaited = true;
    log.warn(`waiting: ${text}`, { forMs: Math.round(restMs) });
  };
  const retrying = { settings, onWait, signal };
  const backend = settings.store === "postgres" ? "postgres" : "directory";
  await retryStore(() => requireTasks(ledger, settings, signal), { ...retrying, backend });
  if (settings.objects === "s3") await retryStore(() => requireS3(settings), { ...retrying, backend: "s3" });
  if (hasWaited) log.info("every store answers now");
  await lookAtBrokers({ settings, log, signal });
}

/** What a statement failed by says less than a look at what it would have needed. */
async function requireTasks(ledger: Ledger, settings: Settings, signal: AbortSignal): Promise<void> {
  const isPostgres = settings.store === "postgres";
  try {
    await ledger.stats({ signal });
  } catch (error) {
    if (isPostgres && isUnclear(error) && !signal.aborted) await requirePostgres(settings);
    throw error;
  }
  if (isPostgres) await requirePostgres(settings);
}

/** Of a server that is away, or does not take the user, no more can be found out. */
function isUnclear(error: unknown): boolean {
  if (!GatewayError.is(error)) return false;
  const { field, sqlState } = error.details;
  return error.code !== "STORE_UNAVAILABLE" || (field === undefined && sqlState !== undefined);
}

async function requirePostgres(settings: Settings): Promise<void> {
  const [{ inspectPostgres }, { postgresFindings }] = await Promise.all([
    import("@modelgate/adapters-storage/postgres"),
    import("../doctor/check-postgres.ts"),
  ]);
  const seen = await inspectPostgres(postgresOptions(settings));
  requireAnswer(seen.problems);
  requireNoFault(postgresFindings(seen, settings));
}

/** A right that is missing would otherwise be found by the first task that needs it. */
async function requireS3(settings: Settings): Promise<void> {
  const [{ inspectS3 }, { s3Findings }] = await Promise.all([
    import("@modelgate/adapters-storage/s3"),
    import("../doctor/check-s3.ts"),
  ]);
  const seen = await inspectS3(s3Options(settings));
  requireAnswer(seen.problems);
  requireNoFault(s3Findings(seen, settings));
}

/** Throws what may pass, so that it is waited for. */
function requireAnswer(problems: readonly Problem[]): void {
  const passing = problems.find(({ code }) => code === "STORE_UNAVAILABLE");
  if (passing === undefined) return;
  const { message, field } = passing;
  throw new GatewayError("STORE_UNAVAILABLE", message, { ...(field && { details: { field } }) });
}

function requireNoFault(findings: readonly Finding[]): void {
  const fault = findings.find(({ level }) => level === "fail");
  if (fault !== undefined) throw new CommandError(EXIT.failed, `${fault.check} ${fault.text}; ${fault.hint}`);
}
