/** What both threads see, by index: whether the process is ending, and whether the worker is inside its driver. */
const ENDING = 0;
const INSIDE = 1;

/** A process that ends waits so long at most for its workers: longer than a batch takes, except on a failing disk. */
const MOST_MS = 2000;

const watched = new Set<Int32Array>();

export function newGate(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
}

/**
 * Lets the process end only when the worker is outside of its driver. Node ends the threads of a process that exits
 * wherever they are, and libsql, whose binding meets that as a failed call, then aborts the process: the exit code
 * is lost.
 */
export function holdExit(gate: Int32Array): void {
  if (watched.size === 0) process.on("exit", waitForAll);
  watched.add(gate);
}

export function freeExit(gate: Int32Array): void {
  watched.delete(gate);
  if (watched.size === 0) process.off("exit", waitForAll);
}

function waitForAll(): void {
  for (const gate of watched) Atomics.store(gate, ENDING, 1);
  const until = performance.now() + MOST_MS;
  for (const gate of watched) Atomics.wait(gate, INSIDE, 1, Math.max(0, until - performance.now()));
}

/** Runs in the worker what calls the driver; never begins and never returns in a process that is ending. */
export function insideGate<T>(gate: Int32Array, work: () => T): T {
  Atomics.store(gate, INSIDE, 1);
  if (Atomics.load(gate, ENDING) === 1) park(gate);
  try {
    return work();
  } finally {
    Atomics.store(gate, INSIDE, 0);
    Atomics.notify(gate, INSIDE);
    if (Atomics.load(gate, ENDING) === 1) park(gate);
  }
}

/** Node ends a thread that waits here without harm. */
function park(gate: Int32Array): void {
  Atomics.store(gate, INSIDE, 0);
  Atomics.notify(gate, INSIDE);
  Atomics.wait(gate, ENDING, 1);
}
