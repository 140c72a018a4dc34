import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

export interface GatewayProcessOptions {
  /** The built command. */
  readonly command: string;
  readonly port: number;
  readonly dataDir: string;
  readonly modelUrl: string;
}

/** A gateway that is killed and started again with what it keeps. */
export interface KilledGateway {
  readonly url: string;
  /** Whether it has said that it listens, and was not killed since. */
  readonly isUp: boolean;
  /** Starts it; `listening` resolves to whether it came so far before it ended. */
  start(): { readonly listening: Promise<boolean> };
  startAndListen(): Promise<void>;
  kill(): Promise<void>;
  /** Stops it as an operator would; resolves to its exit code. */
  stop(): Promise<number | null>;
}

/** `modelgate serve` as a process that is killed and started again, at one address and on one directory. */
export class GatewayProcess implements KilledGateway {
  readonly url: string;
  isUp = false;
  readonly #options: GatewayProcessOptions;
  #child: ChildProcess | undefined;
  #errors = "";

  constructor(options: GatewayProcessOptions) {
    this.#options = options;
    this.url = `http://127.0.0.1:${options.port}`;
  }

  start(): { readonly listening: Promise<boolean> } {
    const { command, port, dataDir, modelUrl } = this.#options;
    const flags = ["--port", String(port), "--data-dir", dataDir, "--server", `nlp=${modelUrl}`];
    const child = spawn(process.execPath, [command, "serve", ...flags, "--log-level", "warn"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    child.stderr.on("data", (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-4_000);
    });
    const listening = new Promise<boolean>((resolve) => {
      child.stdout.on("data", (chunk: Buffer) => {
        if (!chunk.includes("listening on")) return;
        this.isUp = this.#child === child && child.signalCode === null;
        resolve(this.isUp);
      });
      child.once("close", () => resolve(false));
    });
    return { listening };
  }

  async startAndListen(): Promise<void> {
    if (!(await this.start().listening)) throw new Error(`the gateway did not start:\n${this.#errors}`);
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  stop(): Promise<number | null> {
    return this.#end("SIGTERM");
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    this.isUp = false;
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`the gateway had ended by itself (${child.exitCode}):\n${this.#errors}`);
    }
    const ended = once(child, "exit");
    child.kill(signal);
    const [code] = await ended;
    return code as number | null;
  }
}
