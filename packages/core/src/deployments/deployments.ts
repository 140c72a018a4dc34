import type { Clock } from "../contracts/clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { Deployer, LogLine, ServerSpec } from "../contracts/deployer.ts";
import { GatewayError } from "../errors.ts";
import type {
  Configurations,
  Deployment,
  DeploymentPlan,
  Deployments,
  DeployRequest,
  SettleOptions,
} from "./api.ts";
import type { DeploymentController } from "./controller.ts";
import { drain, type Entry, newEntry, stop, toDeployment } from "./entry.ts";
import { resolveModel } from "./resolve-model.ts";
import { isTooLarge, roomOf } from "./room.ts";
import { serverSpecOf } from "./server-spec.ts";
import { checkModelName } from "./validate.ts";
import { checkDemands } from "./validate-demands.ts";
import { checkTtl } from "./validate-ttl.ts";

export interface DeploymentsParts {
  readonly controller: DeploymentController;
  readonly configurations: Configurations;
  readonly clock: Clock;
  readonly newId: () => string;
  /** Whether a server of the model is listed that is none of ours. */
  readonly isServedBesides: (model: string) => boolean;
}

/** A request that was checked, and what would come of it. */
interface Prepared {
  readonly entry: Entry;
  readonly spec: ServerSpec;
}

const REMOVE_LOOK_MS = 3_600_000;
const ENGINE_TIMEOUT_MS = 5_000;
/** On top of the grace that a server gets. */
const LEFT_OVER_MS = 5_000;

/** The deployments as users of the gateway see them. */
export class StandardDeployments implements Deployments {
  readonly configurations: Configurations;
  readonly #parts: DeploymentsParts;

  constructor(parts: DeploymentsParts) {
    this.#parts = parts;
    this.configurations = parts.configurations;
  }

  async deploy(request: DeployRequest, { signal }: OperationOptions = {}): Promise<Deployment> {
    const { controller } = this.#parts;
    const deployer = this.#requireDeployer();
    const { entry } = await this.#prepare(request, signal);
    await this.#requireEngine(deployer, signal);
    const existing = (await controller.book.read(signal)).get(entry.model);
    if (existing === undefined || existing.phase === "failed") this.#requireFree(entry.model);
    const found = await this.#intend(entry, signal);
    if (found.generation !== entry.generation && !joins(found, entry)) throw conflict(found);
    return this.#toDeployment(found);
  }

  /** What an earlier deployment left is removed first; nobody asked for that, so nobody is told to come again. */
  async #intend(entry: Entry, signal: AbortSignal | undefined): Promise<Entry> {
    const { controller } = this.#parts;
    for (let isFirst = true; ; isFirst = false) {
      const entries = await controller.actions.intend(entry);
      controller.take(entries);
      const found = entries.get(entry.model);
      if (found === undefined) throw gone(entry.model);
      const isLeftOver = found.phase === "stopping" && found.begunAtMs === undefined;
      if (!isLeftOver || !isFirst) return found;
      const isGone = (): boolean => controller.entries.get(entry.model)?.generation !== found.generation;
      await controller.until(isGone, controller.options.stopGraceMs + LEFT_OVER_MS, signal);
    }
  }

  async plan(request: DeployRequest, { signal }: OperationOptions = {}): Promise<DeploymentPlan> {
    const { controller } = this.#parts;
    const { entry, spec } = await this.#prepare(request, signal);
    const entries = await controller.book.read(signal);
    const obstacles: string[] = [];
    const existing = entries.get(entry.model);
    if (existing !== undefined && existing.phase !== "failed") obstacles.push(conflict(existing).message);
    else if (this.#parts.isServedBesides(entry.model)) obstacles.push(served(entry.model).message);
    const short = controller.actions.short(entry, entries);
    if (short !== undefined) obstacles.push(`there is too little ${short} now; it would wait for room`);
    if (controller.options.deployer === undefined) obstacles.push("this gateway has no deployer");
    const { modelUri = "", modelType, ttlMs, room } = entry;
    return { spec, modelUri, modelType, ttlMs, room, obstacles };
  }

  async ensure(model: string, { signal }: OperationOptions = {}): Promise<Deployment | undefined> {
    const { controller } = this.#parts;
    controller.activity.ask(model);
    const existing = (await controller.book.read(signal)).get(model);
    if (existing === undefined || existing.phase === "failed") {
      const configuration = await this.configurations.get(model, { signal });
      if (configuration === undefined) return existing && this.#toDeployment(existing);
    }
    controller.poke();
    const isThere = (): boolean => controller.entries.has(model);
    await controller.until(isThere, controller.roundMs * 4, signal);
    const entry = controller.entries.get(model);
    return entry && this.#toDeployment(entry);
  }

  async settled(model: string, { until, timeoutMs, signal }: SettleOptions): Promise<Deployment> {
    const { controller } = this.#parts;
    controller.take(await controller.book.read(signal));
    const first = controller.entries.get(model);
    if (first === undefined) throw gone(model);
    const isSettled = (): boolean => {
      const entry = controller.entries.get(model);
      if (entry === undefined || entry.phase === "failed" || entry.phase === "ready") return true;
      return until === "started" && entry.phase === "deploying" && entry.isStarted;
    };
    await controller.until(isSettled, timeoutMs, signal);
    const entry = controller.entries.get(model);
    if (entry === undefined) throw gone(model);
    return this.#toDeployment(entry);
  }

  async get(model: string, { signal }: OperationOptions = {}): Promise<Deployment | undefined> {
    const entry = (await this.#parts.controller.book.read(signal)).get(model);
    return entry && this.#toDeployment(entry);
  }

  async list({ signal }: OperationOptions = {}): Promise<readonly Deployment[]> {
    const entries = await this.#parts.controller.book.read(signal);
    return [...entries.values()]
      .sort((one, other) => (one.model < other.model ? -1 : 1))
      .map((entry) => this.#toDeployment(entry));
  }

  async remove(model: string, { signal }: OperationOptions = {}): Promise<void> {
    const { controller, clock, isServedBesides } = this.#parts;
    const existing = (await controller.book.read(signal)).get(model);
    if (existing === undefined) {
      if (isServedBesides(model)) {
        const message = `the server of model "${model}" was not deployed by this gateway and is left alone`;
        throw new GatewayError("NOT_OURS", message, { details: { model } });
      }
      throw gone(model);
    }
    await this.#requireEngine(this.#requireDeployer(), signal);
    const { generation } = existing;
    const entries = await controller.book.change((all) => {
      const entry = all.get(model);
      if (entry?.generation !== generation || entry.phase === "stopping") return undefined;
      if (entry.phase === "draining" && entry.drain?.why === "removed") return undefined;
      // What has no server cannot be at work; what has one may have become ready just now.
      const after = entry.isStarted ? drain(entry, "removed", clock.now()) : stop(entry, controller.id);
      return { model, entry: after };
    }, signal);
    controller.take(entries);
    const isGone = (): boolean => controller.entries.get(model)?.generation !== generation;
    await controller.until(isGone, REMOVE_LOOK_MS, signal);
  }

  async *logs(
    model: string,
    options: OperationOptions & { readonly tail?: number; readonly follow?: boolean } = {},
  ): AsyncIterable<LogLine> {
    const { controller } = this.#parts;
    const { deployer } = controller.options;
    const entry = (await controller.book.read(options.signal)).get(model);
    if (entry === undefined) throw gone(model);
    if (entry.server === undefined || deployer === undefined) {
      yield* await controller.logs.read(model, options.signal);
      return;
    }
    const installation = await controller.installation();
    yield* deployer.logs(entry.server.id, { ...options, installation });
  }

  #toDeployment(entry: Entry): Deployment {
    return { ...toDeployment(entry), progress: this.#parts.controller.progressOf(entry.generation) };
  }

  async #prepare(request: DeployRequest, signal: AbortSignal | undefined): Promise<Prepared> {
    const { controller, newId, clock } = this.#parts;
    const { manual, tracking, template, defaultRoom, room: total } = controller.options;
    const model = checkModelName(request.model);
    const ttlMs = checkTtl(request.ttlMs, manual);
    const demands = request.demands === undefined ? undefined : checkDemands(request.demands);
    const { requiresKnownUri } = manual;
    const source = await resolveModel(request, { tracking, requiresKnownUri, signal });
    const spec = serverSpecOf(template, { model, ...source, demands, kind: "manual" });
    const room = roomOf(spec, defaultRoom);
    const short = isTooLarge(total, room);
    if (short !== undefined) {
      const message = `${short} of ${room[short]} is more than all deployments together may take (${total[short]})`;
      throw new GatewayError("NO_ROOM", message, { details: { field: short } });
    }
    const { modelUri, modelType, trackingId } = source;
    const parts = { model, modelUri, modelType, trackingId, demands, room, ttlMs, idleTtlMs: undefined };
    const entry = newEntry({ ...parts, kind: "manual", generation: newId() }, clock.now());
    return { entry, spec };
  }

  #requireDeployer(): Deployer {
    const { deployer } = this.#parts.controller.options;
    if (deployer !== undefined) return deployer;
    throw new GatewayError("UNSUPPORTED", "this gateway has no deployer; it only finds servers");
  }

  /** A person hears at once that nothing can be done now, and nothing is begun. */
  async #requireEngine(deployer: Deployer, signal: AbortSignal | undefined): Promise<void> {
    const { controller, clock } = this.#parts;
    const installation = await controller.installation();
    const isLate = new AbortController();
    const cancel = clock.after(ENGINE_TIMEOUT_MS, () => isLate.abort(engineAway()));
    const letGo = clock.hold?.();
    const signals = signal === undefined ? [isLate.signal] : [isLate.signal, signal];
    try {
      await deployer.list(installation, { signal: AbortSignal.any(signals) });
    } finally {
      cancel();
      letGo?.();
    }
  }

  #requireFree(model: string): void {
    if (this.#parts.isServedBesides(model)) throw served(model);
  }
}

/** Whether a request asks for what is in progress already. */
function joins(existing: Entry, asked: Entry): boolean {
  if (existing.phase !== "waiting" && existing.phase !== "deploying") return false;
  const same = (entry: Entry): string =>
    JSON.stringify([entry.kind, entry.modelUri, entry.ttlMs, entry.demands]);
  return same(existing) === same(asked);
}

function conflict({ model, phase }: Entry): GatewayError {
  const words: Partial<Record<Entry["phase"], string>> = {
    ready: "is already running",
    draining: "is being removed",
    stopping: "is being removed",
  };
  const message = `model "${model}" ${words[phase] ?? "is being deployed otherwise"}`;
  return new GatewayError("DEPLOYMENT_CONFLICT", message, { details: { model, state: phase } });
}

function engineAway(): GatewayError {
  const message = `the engine did not answer within ${ENGINE_TIMEOUT_MS} ms`;
  return new GatewayError("DEPLOYER_UNAVAILABLE", message, { details: { retryAfterMs: ENGINE_TIMEOUT_MS } });
}

function served(model: string): GatewayError {
  return new GatewayError("DEPLOYMENT_CONFLICT", `model "${model}" is already running`, {
    details: { model, state: "ready" },
  });
}

function gone(model: string): GatewayError {
  return new GatewayError("DEPLOYMENT_UNKNOWN", `there is no deployment of model "${model}"`, {
    details: { model },
  });
}
