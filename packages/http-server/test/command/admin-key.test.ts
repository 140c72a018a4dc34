import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keepAdminKey, readAdminKey } from "../../src/command/admin-key.ts";

describe("the admin key of a data directory", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "modelgate-key-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const file = (): string => join(folder, "admin-key");

  it("is made once, of 32 random bytes, for its owner alone", async () => {
    expect(await readAdminKey(folder)).toBeUndefined();
    const { key, isOpen } = await keepAdminKey(folder);
    expect(Buffer.from(key, "base64url")).toHaveLength(32);
    expect(isOpen).toBe(false);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(readFileSync(file(), "utf8")).toBe(`${key}\n`);
    expect(await keepAdminKey(folder)).toEqual({ key, isOpen: false });
    expect(await readdir(folder)).toEqual(["admin-key"]);
  });

  it("is the same for all that make it at the same time", async () => {
    const keys = await Promise.all(Array.from({ length: 20 }, () => keepAdminKey(folder)));
    expect(new Set(keys.map(({ key }) => key)).size).toBe(1);
    expect(await readdir(folder)).toEqual(["admin-key"]);
  });

  it("may be written by hand, and tells when others can read it", async () => {
    writeFileSync(file(), "  a-key-that-somebody-chose\n");
    chmodSync(file(), 0o644);
    expect(await keepAdminKey(folder)).toEqual({ key: "a-key-that-somebody-chose", isOpen: true });
  });

  it.each(["", "short", "has a space in the middle", "x".repeat(256), "ümlaut-is-not-a-header-value"])(
    "is not taken from a file that holds %j",
    async (content) => {
      writeFileSync(file(), content);
      await expect(keepAdminKey(folder)).rejects.toThrow(/admin-key holds no key; remove it/);
      expect(readFileSync(file(), "utf8")).toBe(content);
    },
  );

  it("is not taken through a link that leads elsewhere", async () => {
    writeFileSync(join(folder, "other"), "a-key-of-something-else");
    symlinkSync(join(folder, "other"), file());
    await expect(keepAdminKey(folder)).rejects.toThrow(/is no file; remove it/);
  });
});
