import { ERROR_CODES } from "@modelgate/core";

/** A code as it is labelled: those of the table, `none`, and `other` for what somebody made up. */
export function codeLabel(code: string | undefined): string {
  if (code === undefined) return "none";
  return Object.hasOwn(ERROR_CODES, code) ? code : "other";
}
