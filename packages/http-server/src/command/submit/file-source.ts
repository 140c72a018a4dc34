import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { ByteStream } from "@modelgate/core";
import type { UploadBody } from "../client/send-request.ts";
import { CommandError } from "../command-error.ts";
import { EXIT } from "../exit-codes.ts";

/** The bytes of a file, to be read once. Throws `CommandError` when it cannot be read. */
export async function fileSource(file: string): Promise<UploadBody> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => throwUnreadable(file, error));
  if (found.isDirectory()) throw new CommandError(EXIT.usage, `${file} is a directory; give a file.`);
  // A pipe has a size of 0 and more to come.
  const sizeBytes = found.isFile() ? found.size : undefined;
  return { bytes: readFile(file, sizeBytes), sizeBytes };
}

/** As many bytes as were announced: a file that somebody still writes to must not break the request. */
async function* readFile(
  file: string,
  sizeBytes: number | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (sizeBytes === 0) return;
  let readBytes = 0;
  try {
    const range = sizeBytes === undefined ? {} : { end: sizeBytes - 1 };
    for await (const chunk of createReadStream(file, { highWaterMark: 256 * 1024, ...range }) as ByteStream) {
      readBytes += chunk.byteLength;
      yield chunk;
    }
  } catch (error) {
    throwUnreadable(file, error as NodeJS.ErrnoException);
  }
  if (sizeBytes !== undefined && readBytes < sizeBytes) {
    throw new CommandError(EXIT.failed, `${file} became shorter while it was read; nothing was submitted.`);
  }
}

function throwUnreadable(file: string, { code = "unknown error" }: NodeJS.ErrnoException): never {
  throw new CommandError(EXIT.usage, `${file} cannot be read (${code}).`);
}
