// One server process in the foreground, as our child and in a process group of its own, so that a Ctrl-C meant for the
// command does not reach it. Signals go to its whole tree: PostgreSQL's processes are each a session of their own, so
// that its process group has one member only.

import { execFile, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { isAlive, statusOf, treeOf } from "./proc.mjs";
import { boundTo, cleanEnv } from "./user.mjs";

const pollMs = 15;
const tailBytes = 2000;

/** Runs a tool that ends by itself, such as initdb, and resolves to what it printed. */
export async function runTool(command, args, { user, cwd, env, withinMs = 60_000 }) {
  const [program, all] = boundTo(user, command, args);
  const options = { cwd, env: cleanEnv(cwd, env), timeout: withinMs, killSignal: "SIGKILL" };
  try {
    return (await promisify(execFile)(program, all, options)).stdout;
  } catch (error) {
    const said = `${error.stdout ?? ""}${error.stderr ?? ""}`.slice(-tailBytes);
    throw new Error(`${command} failed (${error.signal ?? error.code}):\n${said}`);
  }
}

/** There is nothing left to wait for. */
class EndedEarly extends Error {}

export class Daemon {
  #options;
  #child;
  #ended;
  #isPaused = false;

  /** `command` stays in the foreground; what it prints goes to `log`. */
  constructor({ name, command, args, cwd, log, user, env }) {
    this.#options = { name, command, args, cwd, log, user, env };
  }

  get pid() {
    return this.isRunning ? this.#child.pid : undefined;
  }

  get isRunning() {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when `isReady` does to something true; rejects with the end of the log when the server ends before. */
  async start(isReady, withinMs = 60_000) {
    const { name, command, args, cwd, log, user, env } = this.#options;
    const output = openSync(log, "a");
    const [program, all] = boundTo(user, command, args);
    const child = spawn(program, all, {
      cwd,
      detached: true,
      stdio: ["ignore", output, output],
      env: cleanEnv(cwd, env),
    });
    closeSync(output);
    this.#child = child;
    this.#isPaused = false;
    let failure;
    this.#ended = new Promise((settle) => {
      child.once("error", (error) => {
        failure = error;
        settle();
      });
      child.once("exit", settle);
    });
    // Whoever forgets to stop a server is not kept alive by it.
    child.unref();
    const deadline = performance.now() + withinMs;
    const answers = async () => {
      try {
        return await isReady();
      } catch (error) {
        if (error instanceof EndedEarly) throw error;
        return false;
      }
    };
    while (!(await answers())) {
      if (failure !== undefined) throw new Error(`${name} could not be started: ${failure.message}`);
      if (!this.isRunning) throw this.endedEarly();
      if (performance.now() > deadline) {
        await this.kill();
        throw new Error(`${name} was not ready within ${withinMs} ms:\n${this.#tail()}`);
      }
      await sleep(pollMs);
    }
  }

  /** For another's `isReady` to throw, which stands on this one. */
  endedEarly() {
    return new EndedEarly(`${this.#options.name} ended before it was ready:\n${this.#tail()}`);
  }

  /** Asks it to end by `signal`; one that does not within the time is killed. */
  async stop(signal, withinMs = 10_000) {
    if (this.#isPaused) await this.resume();
    if (!this.isRunning) return;
    const gone = whenGone(treeOf(this.#child.pid));
    this.#child.kill(signal);
    this.#child.ref();
    const timeUp = new AbortController();
    await Promise.race([this.#ended, sleep(withinMs, undefined, { signal: timeUp.signal }).catch(() => {})]);
    timeUp.abort();
    if (this.isRunning) await this.kill();
    else await gone();
  }

  /** What a crash does. Nobody is left when this resolves. */
  async kill() {
    if (!this.isRunning) return;
    // Stopped first, so that nobody of them starts another.
    const tree = this.#pauseTree();
    const gone = whenGone(tree);
    this.#send(tree, "SIGKILL");
    this.#child.ref();
    await this.#ended;
    this.#isPaused = false;
    await gone();
  }

  /** It answers nobody, but its connections stay open. */
  async pause() {
    if (!this.isRunning) throw new Error(`${this.#options.name} does not run, so it cannot be paused`);
    this.#isPaused = true;
    this.#pauseTree();
  }

  async resume() {
    this.#isPaused = false;
    if (this.isRunning) this.#send(treeOf(this.#child.pid).reverse(), "SIGCONT");
  }

  #pauseTree() {
    let tree = [];
    for (let before = -1; tree.length !== before; ) {
      before = tree.length;
      this.#send(tree.length === 0 ? [this.#child.pid] : tree, "SIGSTOP");
      tree = treeOf(this.#child.pid);
    }
    return tree;
  }

  #send(pids, signal) {
    for (const pid of pids) {
      try {
        process.kill(pid, signal);
      } catch {} // Gone in the meantime.
    }
  }

  #tail() {
    return readFileSync(this.#options.log, "utf8").slice(-tailBytes);
  }
}

/** A number may be given to another process, so what is waited for is noted before it ends. */
function whenGone(pids) {
  const noted = pids.map((pid) => [pid, statusOf(pid)?.startedAt]);
  return async () => {
    while (noted.some(([pid, startedAt]) => startedAt !== undefined && isAlive(pid, startedAt)))
      await sleep(pollMs);
  };
}
