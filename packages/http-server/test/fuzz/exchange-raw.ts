import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface RawCase {
  readonly bytes: Buffer;
  /** Sent in so many pieces. */
  readonly pieces: number;
  /** Hang up, by a reset or politely, after so many bytes. */
  readonly hangUpAfter: number | undefined;
}

export interface RawOutcome {
  readonly received: Buffer;
  /** Whether every answer that came had its time: neither hung up on, nor given up. */
  readonly isWhole: boolean;
  /** Neither an answer nor a close came in time. */
  readonly isHung: boolean;
}

/** A connection that is silent for so long waits for more, and is told that nothing more will come. */
const QUIET_MS = 300;
const LIMIT_MS = 25_000;

/** Sends bytes on a connection of its own, and gives all that comes back until it closes. */
export async function exchangeRaw(
  port: number,
  { bytes, pieces, hangUpAfter }: RawCase,
): Promise<RawOutcome> {
  const socket = connect(port, "127.0.0.1");
  const received: Buffer[] = [];
  let lastAt = performance.now();
  let hasEnded = false;
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => {});
  socket.on("data", (chunk: Buffer) => {
    received.push(chunk);
    lastAt = performance.now();
  });
  const sent = hangUpAfter === undefined ? bytes : bytes.subarray(0, hangUpAfter);
  for (let piece = 0; piece < pieces; piece += 1) {
    const cut = (at: number): number => Math.floor((at * sent.byteLength) / pieces);
    socket.write(sent.subarray(cut(piece), cut(piece + 1)));
    if (pieces > 1) await sleep(1);
  }
  if (hangUpAfter !== undefined) {
    await sleep(2);
    if (hangUpAfter % 2 === 0) socket.destroy();
    else socket.resetAndDestroy();
  }
  lastAt = Math.max(lastAt, performance.now());
  const begunAt = performance.now();
  const watch = setInterval(() => {
    if (performance.now() - lastAt > QUIET_MS && !hasEnded) {
      hasEnded = true;
      socket.end();
    }
    if (performance.now() - begunAt > LIMIT_MS) socket.destroy();
  }, 20);
  await closed;
  clearInterval(watch);
  return {
    received: Buffer.concat(received),
    isWhole: hangUpAfter === undefined && !hasEnded,
    isHung: performance.now() - begunAt > LIMIT_MS,
  };
}
