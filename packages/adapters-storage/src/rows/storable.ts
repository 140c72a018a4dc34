import { type ExchangeRequest, GatewayError, type ServerWant, type Settlement } from "@modelgate/core";

/** Whether a text comes back from the database as it went in. */
export function isStorable(text: string | undefined): boolean {
  return text === undefined || (!text.includes("\0") && text.isWellFormed());
}

/** Why this one settlement cannot be written. What is kept as JSON holds any text. */
export function refusalOfSettlement(item: Settlement): GatewayError | undefined {
  const texts =
    item.kind === "sent"
      ? [item.server, item.instance]
      : item.kind === "running"
        ? [item.runId, item.instance]
        : [];
  if (texts.every(isStorable)) return undefined;
  return new GatewayError(
    "INVALID_REQUEST",
    "server, instance or runId holds a character that cannot be stored",
  );
}

/** Throws `INVALID_REQUEST` for names that a row cannot hold. */
export function requireStorable(
  request: Pick<ExchangeRequest, "runner" | "incarnation"> & {
    readonly want: readonly Pick<ServerWant, "server" | "instance">[];
  },
): void {
  const { runner, incarnation, want } = request;
  if (
    isStorable(runner) &&
    isStorable(incarnation) &&
    want.every(({ server, instance }) => isStorable(server) && isStorable(instance))
  ) {
    return;
  }
  throw new GatewayError(
    "INVALID_REQUEST",
    "runner, incarnation, server or instance holds a character that cannot be stored",
  );
}
