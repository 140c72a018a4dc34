import { open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { ByteStream } from "@modelgate/core";
import { CommandError } from "../command-error.ts";
import { EXIT } from "../exit-codes.ts";

/** Writes all of `body` to `file`, or nothing: it appears, and replaces what was there, once it is complete. */
export async function saveFile(file: string, body: ByteStream): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  // A device or a pipe is written to, and never replaced.
  if (found !== undefined && !found.isFile()) return write(file, file, body);
  // Where a link leads, the file is replaced, and not the link.
  const path = await realpath(file).catch(() => file);
  const unfinished = join(dirname(path), `.${basename(path)}.${process.pid}.part`);
  try {
    await write(file, unfinished, body);
    await rename(unfinished, path).catch(throwReadable(file));
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

async function write(file: string, path: string, body: ByteStream): Promise<void> {
  const handle = await open(path, "w").catch(throwReadable(file));
  try {
    for await (const chunk of body) await handle.writeFile(chunk).catch(throwReadable(file));
  } finally {
    await handle.close();
  }
}

function throwReadable(file: string): (error: NodeJS.ErrnoException) => never {
  return ({ code }) => {
    throw new CommandError(EXIT.failed, `${file} cannot be written (${code ?? "unknown error"}).`);
  };
}
