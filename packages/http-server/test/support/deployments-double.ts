import {
  type Deployment,
  type Deployments,
  type DeployRequest,
  GatewayError,
  type GatewayErrorCode,
  type LogLine,
  type ManualPolicy,
  type OperationOptions,
  type SettleOptions,
  systemClock,
  type Tracking,
} from "@modelgate/core";
import { memoryRecordStore, memoryTracking } from "@modelgate/core/memory";
import { createConfigurations } from "../../../core/src/deployments/configurations.ts";
import { resolveModel } from "../../../core/src/deployments/resolve-model.ts";
import { checkModelName } from "../../../core/src/deployments/validate.ts";
import { checkDemands } from "../../../core/src/deployments/validate-demands.ts";
import { checkTtl } from "../../../core/src/deployments/validate-ttl.ts";

export interface DoubleOptions {
  readonly manual?: ManualPolicy;
  readonly requiresKnownUri?: boolean;
  readonly idleTtlMs?: number;
}

/** What the tracker of these tests knows. */
export const TRACKED = { uri: "models:/umls/3", type: "medcat_umls", runId: "run-1" };

const tracking: Tracking = memoryTracking([TRACKED]);

/** Deployments without an engine: what comes of each is for the test to say. Configurations and checks are the real ones. */
export class DeploymentsDouble implements Deployments {
  readonly configurations: Deployments["configurations"];
  readonly requests: DeployRequest[] = [];
  readonly deployments = new Map<string, Deployment>();
  readonly lines: LogLine[] = [];
  /** Models that servers of somebody else serve. */
  readonly others = new Set<string>();
  /** What becomes of a deployment, a moment after it was asked for. */
  onDeploy: (deployment: Deployment) => Partial<Deployment> = () => started;
  /** Rejects instead of what would be done. */
  fault: GatewayError | undefined;
  removals: Promise<void> = Promise.resolve();
  readonly #options: DoubleOptions;

  constructor(options: DoubleOptions = {}) {
    this.#options = options;
    const { idleTtlMs, requiresKnownUri } = options;
    this.configurations = createConfigurations({
      records: memoryRecordStore(),
      clock: systemClock,
      tracking,
      autoPolicy: { idleTtlMs, requiresKnownUri },
    });
  }

  async deploy(request: DeployRequest): Promise<Deployment> {
    this.#check();
    this.requests.push(request);
    const { manual, requiresKnownUri } = this.#options;
    const model = checkModelName(request.model);
    const ttlMs = checkTtl(request.ttlMs, manual);
    if (request.demands !== undefined) checkDemands(request.demands);
    const source = await resolveModel(request, { tracking, requiresKnownUri });
    const existing = this.deployments.get(model);
    if (existing !== undefined && existing.state !== "waiting") {
      throw new GatewayError("DEPLOYMENT_CONFLICT", "there is one", { details: { state: existing.state } });
    }
    return existing ?? this.add({ ...source, model, kind: "manual", ttlMs });
  }

  add(parts: Partial<Deployment> & Pick<Deployment, "model">): Deployment {
    const deployment: Deployment = {
      ...{ kind: "manual", generation: "g1", state: "waiting", createdAtMs: 1_763_680_316_654 },
      ...{ isStarted: false, failures: 0 },
      ...parts,
    };
    this.deployments.set(deployment.model, deployment);
    setTimeout(() => this.change(deployment.model, this.onDeploy(deployment)), 5);
    return deployment;
  }

  change(model: string, parts: Partial<Deployment>): void {
    const deployment = this.deployments.get(model);
    if (deployment !== undefined) this.deployments.set(model, { ...deployment, ...parts });
  }

  async plan(): Promise<never> {
    throw new GatewayError("UNSUPPORTED", "not part of this test");
  }

  async ensure(model: string): Promise<Deployment | undefined> {
    this.#check();
    const existing = this.deployments.get(model);
    if (existing !== undefined) return existing;
    const configuration = await this.configurations.get(model);
    return configuration && this.add({ model, kind: "auto", modelUri: configuration.modelUri });
  }

  async settled(model: string, { until, timeoutMs, signal }: SettleOptions): Promise<Deployment> {
    const endsAtMs = performance.now() + timeoutMs;
    for (;;) {
      signal?.throwIfAborted();
      const deployment = this.deployments.get(model);
      if (deployment === undefined) throw new GatewayError("DEPLOYMENT_UNKNOWN", "it is gone");
      const { state, isStarted } = deployment;
      const isSettled = state === "failed" || state === "ready" || (until === "started" && isStarted);
      if (isSettled || performance.now() >= endsAtMs) return deployment;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async get(model: string): Promise<Deployment | undefined> {
    this.#check();
    return this.deployments.get(model);
  }

  async list(): Promise<readonly Deployment[]> {
    return [...this.deployments.values()];
  }

  async remove(model: string, { signal }: OperationOptions = {}): Promise<void> {
    this.#check();
    if (this.others.has(model)) throw new GatewayError("NOT_OURS", "of somebody else");
    if (!this.deployments.has(model)) throw new GatewayError("DEPLOYMENT_UNKNOWN", "there is none");
    await new Promise<void>((resolve, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason));
      void this.removals.then(resolve);
    });
    this.deployments.delete(model);
  }

  async *logs(_model: string, { tail = 100 }: { readonly tail?: number } = {}): AsyncIterable<LogLine> {
    this.#check();
    yield* this.lines.slice(-tail);
  }

  #check(): void {
    if (this.fault !== undefined) throw this.fault;
  }
}

export const started: Partial<Deployment> = {
  state: "deploying",
  isStarted: true,
  server: { id: "c0ffee", serverId: "docker:c0ffee", name: "foo", imageDigest: "sha256:1" },
};

export const ready: Partial<Deployment> = { ...started, state: "ready", readyAtMs: 1_763_680_320_000 };

export function failed(code: GatewayErrorCode, message: string): Partial<Deployment> {
  return { state: "failed", failures: 3, error: { code, message } };
}
