import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ERROR_CODES } from "../../src/errors.ts";

const page = readFileSync(new URL("../../../../docs/reference/errors.md", import.meta.url), "utf8");
const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| (yes|no) \|/gm)].map(([, code = "", retryable = ""]) => ({
  code,
  retryable,
}));

describe("docs/reference/errors.md", () => {
  it("has one row for each code, and no other", () => {
    expect(rows.map((row) => row.code).sort()).toEqual(Object.keys(ERROR_CODES).sort());
  });

  it("says of each whether the same call may go through later", () => {
    const told = Object.fromEntries(rows.map((row) => [row.code, row.retryable === "yes"]));
    const true_ = Object.fromEntries(
      Object.entries(ERROR_CODES).map(([code, { retryable }]) => [code, retryable]),
    );
    expect(told).toEqual(true_);
  });
});
