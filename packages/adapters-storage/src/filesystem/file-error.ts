import { GatewayError } from "@modelgate/core";
import { isCode } from "./object-path.ts";

/** Translates what the file system refused. Errors of the body and aborts pass through untouched. */
function toStoreError(error: unknown): unknown {
  if (GatewayError.is(error)) return error;
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (isCode(error, "ENOSPC") || isCode(error, "EDQUOT") || isCode(error, "EFBIG")) {
    return new GatewayError("STORE_FULL", "the object directory has no room; free some and call again", {
      cause: error,
    });
  }
  if (isCode(error, "EROFS") || isCode(error, "EACCES") || isCode(error, "EPERM")) {
    return new GatewayError(
      "STORE_READ_ONLY",
      "the object directory cannot be written; check its rights and its mount",
      {
        cause: error,
      },
    );
  }
  return new GatewayError(
    "STORE_UNAVAILABLE",
    `the object directory failed with ${code ?? "an unknown error"}`,
    { cause: error },
  );
}

/** Runs what touches files only. */
export async function atFiles<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toStoreError(error);
  }
}
