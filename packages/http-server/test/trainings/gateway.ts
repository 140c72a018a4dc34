import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../support/free-port.ts";
import { send } from "../support/send.ts";
import { OwnProcess } from "./own-process.ts";

export interface GatewayOptions {
  /** The built command. */
  readonly command: string;
  /** Models and the addresses of their servers. */
  readonly servers: Readonly<Record<string, string | readonly string[]>>;
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** `modelgate serve` in a process of its own, by a file of settings. */
export class GatewayProcess extends OwnProcess {
  readonly url: string;
  readonly config: string;
  readonly #folder: string;
  readonly #models: readonly string[];

  private constructor(options: GatewayOptions, folder: string, port: number) {
    const config = join(folder, "modelgate.json");
    super({
      file: options.command,
      args: () => ["serve", "--port", String(port), "--config", config],
      ready: /listening on/,
    });
    this.config = config;
    this.url = `http://127.0.0.1:${port}`;
    this.#folder = folder;
    this.#models = Object.keys(options.servers);
  }

  static async start(options: GatewayOptions): Promise<GatewayProcess> {
    const folder = await mkdtemp(join(tmpdir(), "modelgate-trainings-"));
    const gateway = new GatewayProcess(options, folder, await freePort());
    const { servers, settings } = options;
    const own = { dataDir: join(folder, "data"), leaseMs: 3_000, pollMs: 100, logLevel: "debug", servers };
    await writeFile(gateway.config, JSON.stringify({ ...own, ...settings }));
    await gateway.start();
    return gateway;
  }

  /** Resolves once it has seen a server of each model. */
  async knowsModels(): Promise<void> {
    for (const until = performance.now() + 20_000; ; await sleep(50)) {
      const { body } = await send(`${this.url}/models/`);
      const { running } = JSON.parse(body.toString()) as { running: readonly object[] };
      if (running.length >= this.#models.length) return;
      if (performance.now() > until) throw new Error(`it knows ${running.length} models:\n${this.output}`);
    }
  }

  async close(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
