/** What one look found. */
export interface Finding {
  readonly check: string;
  readonly level: "ok" | "warn" | "fail";
  readonly text: string;
  /** What mends it. */
  readonly hint?: string | undefined;
}

export function ok(check: string, text: string): Finding {
  return { check, level: "ok", text };
}

export function warn(check: string, text: string, hint: string): Finding {
  return { check, level: "warn", text, hint };
}

export function fail(check: string, text: string, hint: string): Finding {
  return { check, level: "fail", text, hint };
}

export function codeOf(error: unknown): string {
  const { code } = error as { readonly code?: unknown };
  return typeof code === "string" ? code : "unknown error";
}
