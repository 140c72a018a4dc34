import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { pause } from "./waiting.ts";

let collectGarbage: (() => void) | undefined;

/** Bytes in buffers that somebody can still reach. */
export async function heldBytes(): Promise<number> {
  if (collectGarbage === undefined) {
    setFlagsFromString("--expose-gc");
    collectGarbage = runInNewContext("gc") as () => void;
  }
  // What is collected is counted a moment later.
  for (let round = 0; round < 2; round += 1) {
    collectGarbage();
    await pause(10);
  }
  return process.memoryUsage().arrayBuffers;
}
