import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, type WriteStream } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Recorder } from "./recorder.ts";

export interface OurProcessOptions {
  readonly name: string;
  /** The built command. */
  readonly command: string;
  /** Its arguments and variables for each start; `by` is the name of this one start. */
  readonly launch: (by: string) => {
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
  };
  /** What it writes to standard output once it is ready. */
  readonly readyText: string;
  /** Where its output is kept. */
  readonly logFile: string;
  readonly recorder: Recorder;
  /** Whether it may fail to start now, because something that it needs is away. */
  readonly mayFailToStart: () => boolean;
}

const RESTART_MS = 500;
const STOP_LIMIT_MS = 60_000;

/** A run that is broken off leaves none behind: one that is stopped would not even see its terminal close. */
const living = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

interface Start {
  readonly by: string;
  readonly child: ChildProcess;
  readonly exited: Promise<string>;
  isReady: boolean;
  /** Whether we have asked for its end. */
  isWanted: boolean;
}

/** One process of ours under supervision: what ends by itself before it was ready is started again. */
export class OurProcess {
  readonly name: string;
  readonly #options: OurProcessOptions;
  readonly #log: WriteStream;
  #starts = 0;
  #current: Start | undefined;
  #isPaused = false;
  #isBusy = false;
  #isStopping = false;

  constructor(options: OurProcessOptions) {
    this.name = options.name;
    this.#options = options;
    this.#log = createWriteStream(options.logFile, { flags: "a" });
  }

  /** Whether it is ready and not paused. */
  get isUp(): boolean {
    return this.#current?.isReady === true && !this.#isPaused;
  }

  /** Whether a fault can befall it now. */
  get isFree(): boolean {
    return !this.#isBusy && !this.#isStopping && this.#current !== undefined;
  }

  /** The name of the start that is under way. */
  get by(): string {
    return this.#current?.by ?? this.name;
  }

  start(): void {
    const { name, command, launch, readyText, recorder } = this.#options;
    this.#starts += 1;
    const by = `${name}.${this.#starts}`;
    const { args, env } = launch(by);
    recorder.add({ kind: "process", by, change: "started" });
    const child = spawn(process.execPath, [command, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"], HOME: process.env["HOME"], TZ: "UTC", ...env },
    });
    living.add(child);
    const exited = new Promise<string>((resolve) => {
      child.once("exit", (code, signal) => {
        living.delete(child);
        resolve(signal ?? String(code));
      });
      child.once("error", (error) => resolve(error.message));
    });
    const start: Start = { by, child, exited, isReady: false, isWanted: false };
    this.#current = start;
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      this.#log.write(chunk);
      if (start.isReady) return;
      output += chunk.toString();
      start.isReady = output.includes(readyText);
    });
    child.stderr.on("data", (chunk: Buffer) => this.#log.write(chunk));
    this.#log.write(`--- ${by} starts at ${new Date().toISOString()}\n`);
    void exited.then((how) => this.#ended(start, how));
  }

  /** Resolves once it is ready; rejects when that takes too long. */
  async ready(limitMs: number): Promise<void> {
    const until = performance.now() + limitMs;
    while (!this.isUp) {
      if (performance.now() > until)
        throw new Error(`${this.by} was not ready within ${limitMs} ms; see ${this.#options.logFile}`);
      await sleep(20);
    }
  }

  /** `kill -9`, and a new start after `downMs`; tells whether it lived until then. */
  async kill(downMs: number): Promise<boolean> {
    const start = this.#current;
    if (start === undefined) return false;
    this.#isBusy = true;
    try {
      start.isWanted = true;
      this.#current = undefined;
      const hasKilled = start.child.kill("SIGKILL");
      await start.exited;
      this.#isPaused = false;
      this.#options.recorder.add({ kind: "process", by: start.by, change: "crashed" });
      await sleep(downMs);
      if (!this.#isStopping) this.start();
      return hasKilled;
    } finally {
      this.#isBusy = false;
    }
  }

  /** Stops it as it is, without its knowing, and lets it go on after `forMs`. */
  async pause(forMs: number): Promise<boolean> {
    const start = this.#current;
    if (start === undefined) return false;
    this.#isBusy = true;
    try {
      const { recorder } = this.#options;
      this.#isPaused = start.child.kill("SIGSTOP");
      recorder.add({ kind: "process", by: start.by, change: "paused" });
      await sleep(forMs);
      recorder.add({ kind: "process", by: start.by, change: "resumed" });
      start.child.kill("SIGCONT");
      this.#isPaused = false;
      return true;
    } finally {
      this.#isBusy = false;
    }
  }

  /** Ends it as an operator would. Anything but a clean end is complained of. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    while (this.#isBusy) await sleep(20);
    const start = this.#current;
    if (start === undefined) return;
    const { recorder } = this.#options;
    start.isWanted = true;
    recorder.add({ kind: "process", by: start.by, change: "stopping" });
    start.child.kill("SIGTERM");
    const timer = setTimeout(() => start.child.kill("SIGKILL"), STOP_LIMIT_MS);
    const how = await start.exited;
    clearTimeout(timer);
    recorder.add({ kind: "process", by: start.by, change: "stopped" });
    if (how !== "0") recorder.complain(`${start.by} did not end well after a SIGTERM: ${how}`);
    this.#current = undefined;
  }

  /** For when the run itself has failed. */
  destroy(): void {
    this.#isStopping = true;
    this.#current?.child.kill("SIGKILL");
    this.#log.end();
  }

  #ended(start: Start, how: string): void {
    this.#log.write(`--- ${start.by} ended: ${how}\n`);
    if (start.isWanted || this.#current !== start) return;
    const { recorder, mayFailToStart } = this.#options;
    recorder.add({ kind: "process", by: start.by, change: "crashed" });
    if (start.isReady || !mayFailToStart()) recorder.complain(`${start.by} ended by itself: ${how}`);
    else recorder.count("failed starts");
    this.#current = undefined;
    setTimeout(() => {
      if (!this.#isStopping && this.#current === undefined) this.start();
    }, RESTART_MS);
  }
}
