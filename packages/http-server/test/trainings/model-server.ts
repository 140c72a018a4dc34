import { freePort } from "../support/free-port.ts";
import { send } from "../support/send.ts";
import { MarkingProxy } from "./marking-proxy.ts";
import { OwnProcess } from "./own-process.ts";

/** As `--behaviour` of the example server takes it: a name, perhaps with `:ms=…` and `:share=…`. */
export type Behaviours = readonly string[];

export interface ModelServerOptions {
  /** The example server's program. */
  readonly file: string;
  readonly model: string;
  readonly journal: string;
  readonly mlflowUrl?: string | undefined;
  readonly runMs: number;
  readonly behaviours?: Behaviours;
  /** Whether something before it says which process answers. */
  readonly isMarked?: boolean;
}

/** An example server in a process of its own, which keeps its misbehaviours over restarts. */
export class ModelServer extends OwnProcess {
  readonly model: string;
  readonly #port: number;
  readonly #behaviours: { list: Behaviours };
  readonly #proxy: MarkingProxy | undefined;

  private constructor(options: ModelServerOptions, port: number) {
    const { file, model, journal, mlflowUrl, runMs, behaviours = [], isMarked } = options;
    const mlflow = mlflowUrl === undefined ? [] : ["--mlflow-url", mlflowUrl];
    const on = { list: behaviours };
    super({
      file,
      args: () => [
        ...["--port", String(port), "--model-name", model, "--engine", "echo", "--faults"],
        ...["--run-ms", String(runMs), "--runs-journal", journal, ...mlflow],
        ...(on.list.length === 0 ? [] : ["--behaviour", on.list.join(",")]),
      ],
      ready: /"event":"listening"/,
    });
    this.model = model;
    this.#port = port;
    this.#behaviours = on;
    if (isMarked) this.#proxy = new MarkingProxy(port, () => String(this.pid));
  }

  static async start(options: ModelServerOptions): Promise<ModelServer> {
    const server = new ModelServer(options, await freePort());
    await server.start();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#proxy?.port ?? this.#port}`;
  }

  override async start(): Promise<void> {
    await super.start();
    await this.#proxy?.listen();
  }

  override async kill(): Promise<void> {
    await this.#proxy?.stop();
    await super.kill();
  }

  /** Switches these on and all others off, also for processes to come. */
  async misbehave(behaviours: Behaviours): Promise<void> {
    this.#behaviours.list = behaviours;
    if (!this.isUp) return;
    await send(`${this.url}/_behaviour`, { method: "DELETE" });
    const list = behaviours.map((each) => {
      const [name, ...settings] = each.split(":");
      const pairs = settings.map((setting) => setting.split("="));
      return { name, ...Object.fromEntries(pairs.map(([key, value]) => [key, Number(value)])) };
    });
    const { status } = await send(`${this.url}/_behaviour`, { method: "POST", body: JSON.stringify(list) });
    if (status !== 200) throw new Error(`${behaviours.join(",")}: ${status}`);
  }
}
