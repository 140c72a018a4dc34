import type { Room } from "../contracts/deployer.ts";
import type { ModelServer } from "../contracts/discovery.ts";
import type { TaskError } from "../contracts/task.ts";
import type { Deployments } from "../deployments/api.ts";
import { createConfigurations } from "../deployments/configurations.ts";
import { DeploymentController } from "../deployments/controller.ts";
import { StandardDeployments } from "../deployments/deployments.ts";
import { type Entry, isExpected, toDeployment } from "../deployments/entry.ts";
import type { ResolvedDeployments } from "../deployments/options.ts";
import { sum } from "../deployments/room.ts";
import type { ServerDirectory } from "../routing/server-directory.ts";
import type { Runner } from "../tasks/runner.ts";
import type { SafeEmitter } from "./emitter.ts";
import type { ResolvedOptions } from "./options.ts";

export interface DeploymentWorkHost {
  readonly directory: ServerDirectory;
  readonly emitter: SafeEmitter;
  readonly runner: () => Runner | undefined;
  /** Which servers get nothing new has changed. */
  readonly onWithheld: () => void;
  /** Ends the tasks that wait for these models; resolves when all that waited before the call were told. */
  readonly failLane: (model: string, error: TaskError) => Promise<void>;
}

/** What joins the deployments to the rest of a gateway. */
export class DeploymentWork {
  readonly api: Deployments;
  readonly #controller: DeploymentController;
  readonly #host: DeploymentWorkHost;
  readonly #nowMs: () => number;
  /** Requests under way that take no task, by server. */
  readonly #direct = new Map<string, number>();

  constructor(deployments: ResolvedDeployments, options: ResolvedOptions, host: DeploymentWorkHost) {
    const { clock, random, newId, ledger, name, leaseMs } = options;
    const { directory, emitter, failLane } = host;
    this.#host = host;
    this.#nowMs = () => clock.now();
    const { records, tracking, auto } = deployments;
    const configurations = createConfigurations({ records, clock, tracking, autoPolicy: auto });
    this.#controller = new DeploymentController(deployments, configurations.follow(), {
      ...{ clock, random, newId, ledger, name, leaseMs },
      serverState: (id) => directory.get(id)?.server.state,
      listed: () => [...directory.all()].map(({ server }) => server.id),
      isServedBesides: (model) => this.#besides().some(({ models }) => models.includes(model)),
      roomBesides: (): Room => sum(this.#besides().map(({ room = {} }) => room)),
      loadOf: (id) => this.#loadOf(id),
      barrier: () => host.runner()?.barrier() ?? (() => true),
      failTasks: failLane,
      onChange: (entry, before) => this.#tell(entry, before),
      onGone: (entry) => this.#tellGone(entry),
      onChecked: (entries) => {
        const kinds = [...entries.values()].map(({ kind }) => kind);
        const manual = kinds.filter((kind) => kind === "manual").length;
        if (kinds.length > 0) emitter.emit("deployments:checked", { manual, auto: kinds.length - manual });
      },
      onWithheld: () => {
        host.runner()?.poke();
        host.onWithheld();
      },
      onError: (operation, error) => emitter.failed("deployments", operation, error),
    });
    this.api = new StandardDeployments({
      ...{ controller: this.#controller, configurations, clock, newId },
      isServedBesides: (model) =>
        this.#besides().some((server) => server.state !== "draining" && server.models.includes(model)),
    });
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  /** Whether a server gets nothing new from here. */
  isWithheld(serverId: string): boolean {
    return this.#controller.isWithheld(serverId);
  }

  /** Whether tasks for the model may hope for a server, as far as this gateway has heard. */
  expects(model: string): boolean {
    const entry = this.#controller.entries.get(model);
    return this.#controller.enabled.has(model) || (entry !== undefined && isExpected(entry));
  }

  /** The same, and asks the store about a model that this gateway has not heard of. */
  async knows(model: string): Promise<boolean> {
    if (this.expects(model)) return true;
    if ((await this.api.configurations.get(model)) !== undefined) return true;
    const entry = (await this.#controller.book.read()).get(model);
    return entry !== undefined && isExpected(entry);
  }

  onDemand(): Iterable<string> {
    return this.#controller.enabled.keys();
  }

  /** Work has come for the model. */
  wanted(model: string): void {
    const { directory } = this.#host;
    // One that is known by nothing here was found in the store, where somebody else has just made it on demand.
    if (!this.expects(model) && directory.knows(model)) return;
    this.#controller.activity.touch(model);
    if (!directory.hasReady(model)) this.#controller.wanted(model);
  }

  /** An attempt began. */
  used(model: string): void {
    if (this.#controller.entries.has(model)) this.#controller.activity.touch(model);
  }

  /** A server became known, or changed, or went. */
  serverChanged(): void {
    this.#controller.serverChanged();
  }

  /** Somebody waits for the model without a task. To be said again every few seconds, as long as that is so. */
  asked(model: string): void {
    this.#controller.activity.ask(model);
    this.#controller.poke();
  }

  /** Counts a request that goes straight to a server as activity, until it has ended. */
  async direct<T>(server: ModelServer, request: () => Promise<T>): Promise<T> {
    const end = this.begin(server);
    try {
      return await request();
    } finally {
      end();
    }
  }

  /** The same, until the function returned is called, once. */
  begin({ id, models }: ModelServer): () => void {
    for (const model of models) this.used(model);
    this.#direct.set(id, (this.#direct.get(id) ?? 0) + 1);
    return () => {
      for (const model of models) this.used(model);
      const left = (this.#direct.get(id) ?? 1) - 1;
      if (left > 0) this.#direct.set(id, left);
      else this.#direct.delete(id);
    };
  }

  #loadOf(id: string): { readonly inFlight: number; readonly background: number } {
    const { inFlight, background } = this.#host.runner()?.loadOf(id) ?? { inFlight: 0, background: 0 };
    return { inFlight: inFlight + (this.#direct.get(id) ?? 0), background };
  }

  /** The listed servers that are none of ours. */
  #besides(): readonly ModelServer[] {
    return [...this.#host.directory.all()]
      .map(({ server }) => server)
      .filter(({ id }) => !this.#controller.isOurs(id));
  }

  /** Whoever removed the server tells why, so that over all processes each removal is told once. */
  #tellGone({ model, generation, kind, driver, drain: draining, ...entry }: Entry): void {
    const isOwn = driver === this.#controller.id && draining !== undefined;
    const activeAtMs = entry.activeAtMs ?? entry.readyAtMs ?? entry.createdAtMs;
    const removed = isOwn && { why: draining.why, idleMs: Math.max(0, this.#nowMs() - activeAtMs) };
    this.#host.emitter.emit("deployment:changed", {
      ...{ model, generation, kind, state: "gone" as const },
      ...(removed && { removed }),
    });
  }

  #tell(entry: Entry, before: Entry | undefined): void {
    const { model, generation, kind, state, error } = toDeployment(entry);
    const hasFailed = error !== undefined && before?.failures !== entry.failures;
    const code = hasFailed || state === "failed" ? error?.code : undefined;
    this.#host.emitter.emit("deployment:changed", { model, generation, kind, state, code });
  }
}
