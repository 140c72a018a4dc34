import { GatewayError } from "@modelgate/core";

/** Puts what the disk refuses in Modelgate's words. Errors of a body and the caller's own reasons pass as they are. */
export async function atDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Error) || !("syscall" in error) || !("code" in error)) throw error;
    if (error.code === "ENOSPC" || error.code === "EDQUOT") {
      throw new GatewayError("STORE_FULL", "the disk has no room", { cause: error });
    }
    throw new GatewayError("STORE_UNAVAILABLE", `the disk failed with ${String(error.code)}`, {
      cause: error,
    });
  }
}
