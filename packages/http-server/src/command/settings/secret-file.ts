import { readFileSync, statSync } from "node:fs";

export type SecretFile =
  | {
      readonly path: string;
      /** Its content, without the line break that editors put at the end. */
      readonly text: string;
      /** Whether others than its owner may read it. */
      readonly isOpen: boolean;
    }
  | { readonly problem: string };

/** Nothing that is meant is longer. */
const MOST_BYTES = 64 * 1024;

/** Reads a setting from a file of its own. A problem follows the words of whoever named the file. */
export function readSecretFile(path: unknown): SecretFile {
  if (typeof path !== "string" || path === "") return { problem: "must be the path of a file." };
  try {
    const { size, mode } = statSync(path);
    if (size > MOST_BYTES) return { problem: `names ${path}, which has more than ${MOST_BYTES} bytes.` };
    const text = readFileSync(path, "utf8").replace(/\r?\n$/, "");
    if (text === "") return { problem: `names ${path}, which is empty.` };
    // Where a container engine puts secrets, it alone decides who is there to read them.
    const isGuarded = process.platform === "win32" || path.startsWith("/run/secrets/");
    return { path, text, isOpen: !isGuarded && (mode & 0o044) !== 0 };
  } catch (error) {
    const { code = "unknown error" } = error as NodeJS.ErrnoException;
    return { problem: `names ${path}, which cannot be read (${code}).` };
  }
}
