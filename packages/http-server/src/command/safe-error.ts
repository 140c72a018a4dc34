import { GatewayError } from "@modelgate/core";

/**
 * What a log may say of an error. Messages of Modelgate's own errors quote nothing; those of others may quote
 * anything, so only their kind and place are told.
 */
export function safeError(error: unknown): {
  readonly error: string;
  readonly code?: string | undefined;
  readonly at?: string | undefined;
} {
  if (GatewayError.is(error)) return { error: error.message, code: error.code };
  if (!(error instanceof Error)) return { error: typeof error };
  const { code } = error as NodeJS.ErrnoException;
  const at = error.stack?.split("\n").find((line) => line.startsWith("    at "));
  return { error: error.name, code: typeof code === "string" ? code : undefined, at: at?.trim().slice(3) };
}
