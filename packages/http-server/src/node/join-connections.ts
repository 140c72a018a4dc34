import type { Duplex } from "node:stream";

/** How long the rest of what one end sent may take to reach the other once the first is closed. */
const FLUSH_MS = 5_000;

/**
 * Hands everything on from each end to the other, at the pace of the one that reads. An end that says no more is told so
 * to the other, which may go on; one that breaks takes the other with it.
 */
export function joinConnections(one: Duplex, other: Duplex): void {
  follow(one, other);
  follow(other, one);
}

function follow(from: Duplex, to: Duplex): void {
  from.on("error", () => {});
  from.pipe(to);
  from.once("close", () => {
    if (!from.readableEnded) to.destroy();
    else if (to.writableFinished) to.destroy();
    else {
      const timer = setTimeout(() => to.destroy(), FLUSH_MS);
      to.once("close", () => clearTimeout(timer));
      to.once("finish", () => to.destroy());
    }
  });
  if (from.destroyed) to.destroy();
}
