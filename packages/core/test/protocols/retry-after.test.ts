import { expect, it } from "vitest";
import { retryAfterMs } from "../../src/protocols/retry-after.ts";

const NOW = Date.UTC(2026, 0, 1);
const DATE = "Thu, 01 Jan 2026 00:00:10 GMT";

it.each<[string | undefined, string | undefined, number | undefined]>([
  ["0", undefined, 0],
  [" 12 ", undefined, 12_000],
  ["0.5", undefined, 500],
  ["86400", undefined, 60_000],
  ["9".repeat(400), undefined, 60_000],
  [DATE, undefined, 10_000],
  [DATE, "Thu, 01 Jan 2026 00:00:07 GMT", 3000],
  [DATE, "nonsense", 10_000],
  ["Thursday, 01-Jan-26 00:00:10 GMT", undefined, 10_000],
  ["Wed, 31 Dec 2025 23:59:59 GMT", undefined, 0],
  ["Thu, 99 Foo 2026", undefined, undefined],
  ["-3", undefined, undefined],
  ["5 apples", undefined, undefined],
  ["", undefined, undefined],
  [undefined, undefined, undefined],
])("Retry-After %s with the date %s is %s ms", (header, date, expected) => {
  expect(retryAfterMs(header, { date, now: NOW, maxMs: 60_000 })).toBe(expected);
});
