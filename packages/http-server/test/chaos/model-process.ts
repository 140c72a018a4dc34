import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Recorder } from "./recorder.ts";
import type { TcpLink } from "./tcp-link.ts";

export interface ModelProcessOptions {
  readonly name: string;
  /** The bundled model server. */
  readonly program: string;
  readonly port: number;
  readonly notes: string;
  readonly capacity: number;
  readonly recorder: Recorder;
  /** Its address for everybody else; refuses while it is away. */
  readonly link: TcpLink;
  /** By which the gateways know it. */
  readonly serverId: string;
}

/** A model server that is killed and started again at one address, each time as another incarnation. */
export class ModelProcess {
  readonly name: string;
  readonly #options: ModelProcessOptions;
  #child: ChildProcess | undefined;
  #starts = 0;
  #isBusy = false;

  constructor(options: ModelProcessOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get instance(): string {
    return `${this.name}#${this.#starts}`;
  }

  get isFree(): boolean {
    return !this.#isBusy;
  }

  async start(): Promise<void> {
    const { program, port, notes, capacity, recorder, link, serverId } = this.#options;
    this.#starts += 1;
    const { instance } = this;
    const args = [program, JSON.stringify({ port, instance, notes, capacity })];
    // Its input ends with us, and so does it.
    const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#child = child;
    await Promise.race([
      once(child.stdout, "data"),
      once(child, "exit").then(([code]) => {
        throw new Error(`${instance} ended before it listened: ${code}`);
      }),
    ]);
    recorder.add({ kind: "server", server: serverId, instance, isUp: true });
    await link.open();
  }

  async kill(downMs: number): Promise<void> {
    this.#isBusy = true;
    try {
      this.#child?.kill("SIGKILL");
      await this.#restartAfter(downMs);
    } finally {
      this.#isBusy = false;
    }
  }

  /** Lets it write half of its next answer and die; after a while without one it is killed as it is. */
  async dieAnswering(downMs: number, patienceMs: number): Promise<boolean> {
    this.#isBusy = true;
    try {
      const child = this.#child;
      if (child === undefined) return false;
      await ask(this.#options.port, "/die-answering").catch(() => {});
      const until = performance.now() + patienceMs;
      while (child.exitCode === null && child.signalCode === null && performance.now() < until)
        await sleep(20);
      const hasDied = child.signalCode !== null;
      child.kill("SIGKILL");
      await this.#restartAfter(downMs);
      return hasDied;
    } finally {
      this.#isBusy = false;
    }
  }

  async stop(): Promise<void> {
    while (this.#isBusy) await sleep(20);
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  }

  destroy(): void {
    this.#child?.kill("SIGKILL");
  }

  async #restartAfter(downMs: number): Promise<void> {
    const { recorder, link, serverId } = this.#options;
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null)
      await once(child, "exit");
    recorder.add({ kind: "server", server: serverId, instance: this.instance, isUp: false });
    link.refuse();
    await sleep(downMs);
    await this.start();
  }
}

function ask(port: number, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, method: "POST", timeout: 2_000 }, (response) => {
      response.resume();
      response.once("end", resolve);
    });
    sent.once("error", reject);
    sent.end();
  });
}
