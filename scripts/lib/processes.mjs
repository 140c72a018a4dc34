// What scripts start they also end: on success, on failure, on Ctrl-C, and when npm goes away under them. Children get
// process groups of their own, so that a Ctrl-C reaches the script alone, which then stops them in order.

import { spawn } from "node:child_process";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const tailLines = 200;

export class Processes {
  /** What was started and has not yet been seen to end. */
  #running = new Set();
  #onDeath;
  isStopping = false;

  /** `onDeath(sentence)` is told when a child ends that should have stayed. */
  constructor(onDeath) {
    this.#onDeath = onDeath;
    process.on("exit", () => this.#running.forEach(killGroup));
  }

  /**
   * Starts `node args`, with `env` added to the environment. Its output is kept for when it fails, and its standard error is shown unless it is `quiet`.
   * `exited` resolves to how it ended. One that `mayEnd` may do so by itself; set it on what is given back, too.
   */
  start(name, args, { mayEnd = false, quiet = false, env = {} } = {}) {
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const tail = [];
    const keep = (line) => tail.push(line) > tailLines && tail.shift();
    const lines = createInterface({ input: child.stdout });
    lines.on("line", keep);
    createInterface({ input: child.stderr }).on("line", (line) => {
      keep(line);
      if (!quiet) console.error(`[${name}] ${line}`);
    });

    const entry = { name, child, lines, tail, mayEnd, exited: undefined };
    entry.exited = new Promise((settle) => {
      // "close" comes after the last line was read; a child that could not be started has only "error".
      child.once("error", (error) => settle(error.message));
      child.once("close", (code, signal) => settle(signal ?? code));
    }).then((how) => {
      this.#running.delete(entry);
      if (!entry.mayEnd && !this.isStopping) {
        const last = tail.slice(-20).join("\n");
        this.#onDeath(`${name} ended (${how}), so everything stops. Its last lines:\n${last}`);
      }
      return how;
    });
    this.#running.add(entry);
    return entry;
  }

  /** Ends all, what was started last first, since it may need what was there before. Who stays too long is killed. */
  async stop(withinMs) {
    this.isStopping = true;
    const timeUp = sleep(withinMs, undefined, { ref: false });
    for (const entry of [...this.#running].reverse()) {
      entry.child.kill("SIGTERM");
      await Promise.race([entry.exited, timeUp]);
      if (!this.#running.has(entry)) continue;
      console.error(`${entry.name} did not stop in time and is killed.`);
      killGroup(entry);
      await entry.exited;
    }
  }
}

function killGroup({ child }) {
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {} // Already gone.
}

/** Calls `stop` when the script is told to end; asked again while it stops, the script ends at once. */
export function onStopRequest(stop) {
  let isAsked = false;
  const ask = () => {
    if (isAsked) process.exit(1);
    isAsked = true;
    stop();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, ask);
  // npm passes a signal on to its shell only; that our parent changed is how we learn that npm is gone.
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event) {
    setInterval(() => process.ppid !== parent && !isAsked && ask(), 250).unref();
  }
}
