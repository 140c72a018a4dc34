import assert from "node:assert/strict";
import { GatewayError } from "../../errors.ts";
import { nameOf } from "../checks/rejections.ts";
import { settles } from "../checks/waiting.ts";

/** What is no id of a run, no address and no name, and must lead nowhere: neither to another's nor to a failure. */
export const ODD_TEXTS: readonly string[] = [
  "",
  " ",
  "..",
  "../..",
  "a/b",
  "a?b=c&d",
  "a#b",
  "%00",
  "%2e%2e%2f",
  "a\u0000b",
  "a\r\nHost: b",
  "' OR '1'='1",
  "\u00e9\u4e16\u{1f600}",
  "half of a pair: \ud83d",
  "x".repeat(10_240),
];

/** What a call with an odd text resolves; `undefined` when it rejects `INVALID_REQUEST`, as it may. */
export async function toldOfOdd<T>(what: string, text: string, call: Promise<T>): Promise<T | undefined> {
  const shown = `${what}(${JSON.stringify(text.slice(0, 20))})`;
  return await settles(
    shown,
    call.catch((error: unknown) => {
      assert.ok(GatewayError.is(error, "INVALID_REQUEST"), `${shown} rejected with ${nameOf(error)}`);
      return undefined;
    }),
  );
}
