import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** A run that is broken off leaves none behind. */
const living = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

export interface OwnProcessOptions {
  /** The program, which Node runs. */
  readonly file: string;
  /** Its arguments for the next start. */
  readonly args: () => readonly string[];
  /** What it writes to standard output once it listens. */
  readonly ready: RegExp;
}

/** A program that does not listen by then is killed, and fails the test with what it said. */
const START_LIMIT_MS = 60_000;

/** A process that is killed and started again, always with the same program and at the same address. */
export class OwnProcess {
  /** Those that `kill` ended. */
  readonly killed = new Set<number>();
  readonly #options: OwnProcessOptions;
  #child: ChildProcess | undefined;
  #output = "";

  constructor(options: OwnProcessOptions) {
    this.#options = options;
  }

  get isUp(): boolean {
    return this.#child !== undefined;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** What every start of it has written, the last million characters. */
  get output(): string {
    return this.#output;
  }

  async start(): Promise<void> {
    const { file, args, ready } = this.#options;
    const child = spawn(process.execPath, [file, ...args()], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"], TZ: "UTC" },
    });
    living.add(child);
    child.once("exit", () => living.delete(child));
    const isReady = new Promise<boolean>((resolve) => {
      let begin = "";
      child.stdout.on("data", (chunk: Buffer) => {
        begin = (begin + chunk.toString()).slice(-10_000);
        if (ready.test(begin)) resolve(true);
      });
      child.once("close", () => resolve(false));
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), START_LIMIT_MS);
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString()).slice(-1_000_000);
      });
    }
    const hasListened = await isReady;
    clearTimeout(timer);
    if (!hasListened) throw new Error(`${file} ended before it listened:\n${this.#output.slice(-2_000)}`);
    this.#child = child;
  }

  /** `kill -9`; resolves once it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`${this.#options.file} had ended by itself:\n${this.#output.slice(-2_000)}`);
    }
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    if (child.pid !== undefined) this.killed.add(child.pid);
  }
}
