import type { Clock } from "../contracts/clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { RecordStore } from "../contracts/record-store.ts";
import type { Tracking } from "../contracts/tracking.ts";
import { GatewayError } from "../errors.ts";
import type {
  AutoPolicy,
  Configuration,
  ConfigurationChanges,
  Configurations,
  NewConfiguration,
} from "./api.ts";
import { add, disableAll, enable, enabledOf, replace } from "./configurations-history.ts";
import { ConfigurationStore } from "./configurations-store.ts";
import { type ModelSource, type ResolvedModel, resolveModel } from "./resolve-model.ts";
import { checkDescription, checkDuration, checkModelName, isModelName, refusal } from "./validate.ts";
import { checkDemands } from "./validate-demands.ts";

const STANDARD_IDLE_TTL_MS = 3_600_000;
/** How late a change is seen that could not be marked, because its writer died after it. */
const RELIST_MS = 30_000;

export interface ConfigurationsParts {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly tracking?: Tracking | undefined;
  readonly autoPolicy?: AutoPolicy | undefined;
}

/** Keeps up with the enabled configurations, whoever changes them. */
export interface ConfigurationFollower {
  /** By model. One small read, unless something changed since the last call. */
  enabled(options?: OperationOptions): Promise<readonly Configuration[]>;
}

export interface FollowedConfigurations extends Configurations {
  follow(): ConfigurationFollower;
}

export function createConfigurations(parts: ConfigurationsParts): FollowedConfigurations {
  const { records, clock, tracking, autoPolicy = {} } = parts;
  const { idleTtlMs: standardIdleTtlMs = STANDARD_IDLE_TTL_MS, requiresKnownUri } = autoPolicy;
  const store = new ConfigurationStore(records, clock);

  async function resolve(
    { modelUri, trackingId }: ModelSource,
    { signal }: OperationOptions,
  ): Promise<ResolvedModel | undefined> {
    if (modelUri === undefined && trackingId === undefined) return undefined;
    return await resolveModel({ modelUri, trackingId }, { tracking, requiresKnownUri, signal });
  }

  async function list(options: OperationOptions & { readonly all?: boolean | undefined } = {}) {
    const histories = await store.readAll(options);
    return histories.flatMap((history) =>
      options.all === true ? history.toReversed() : history.filter(({ isEnabled }) => isEnabled),
    );
  }

  async function create(request: NewConfiguration, options: OperationOptions = {}): Promise<Configuration> {
    const model = checkModelName(request.model);
    const given = checkGiven(request);
    const source = await resolve(request, options);
    let id = 0;
    const history = await store.change(
      model,
      async (before) => {
        // The reply to our own write was lost.
        if (before.some((each) => each.id === id)) return before;
        const enabled = enabledOf(before);
        const inherited = request.inherits === false ? undefined : enabled;
        const { modelUri } = source ?? inherited ?? {};
        if (modelUri === undefined) {
          throw refusal("modelUri", "is missing; give it or a trackingId, or inherit from an enabled one", {
            rule: "missing",
          });
        }
        if (enabled !== undefined && request.replaces === false) throw conflict(model);
        // Ids of a model count up in its history, also when somebody else was first.
        if (id <= (before.at(-1)?.id ?? 0)) id = await store.nextId(options);
        const nowMs = clock.now();
        return add(before, {
          ...{ model, idleTtlMs: standardIdleTtlMs, keepWarm: false },
          ...inherited,
          // The type belongs to the address: one that the tracker does not know has none.
          ...(source !== undefined && { modelType: undefined, ...source }),
          ...given,
          ...{ id, modelUri, isEnabled: true, createdAtMs: nowMs, updatedAtMs: nowMs },
        });
      },
      options,
    );
    return found(history, id);
  }

  async function update(
    model: string,
    changes: ConfigurationChanges,
    options: OperationOptions = {},
  ): Promise<Configuration> {
    const { trackingId, idleTtlMs, description, demands, ...others } = changes;
    const given = checkGiven({
      keepWarm: others.keepWarm,
      idleTtlMs: idleTtlMs === null ? standardIdleTtlMs : idleTtlMs,
      description: description ?? undefined,
      demands: demands ?? undefined,
    });
    const source = await resolve({ modelUri: others.modelUri, trackingId: trackingId ?? undefined }, options);
    let id = 0;
    const history = await change(model, options, (before, enabled) => {
      id = enabled.id;
      return replace(before, {
        ...enabled,
        ...(source !== undefined && { modelType: undefined, ...source }),
        ...(trackingId === null && { trackingId: undefined }),
        ...(description === null && { description: undefined }),
        ...(demands === null && { demands: undefined }),
        ...given,
        updatedAtMs: clock.now(),
      });
    });
    return found(history, id);
  }

  /** Changes the history of a model that has an enabled configuration. */
  async function change(
    model: string,
    options: OperationOptions,
    decide: (history: readonly Configuration[], enabled: Configuration) => readonly Configuration[],
  ): Promise<readonly Configuration[]> {
    if (!isModelName(model)) throw unknown(`no enabled configuration of ${model}`);
    return await store.change(
      model,
      (before) => {
        const enabled = enabledOf(before);
        if (enabled === undefined) throw unknown(`no enabled configuration of ${model}`);
        return decide(before, enabled);
      },
      options,
    );
  }

  return {
    list,
    create,
    update,
    async get(model, options = {}) {
      return enabledOf(await store.read(model, options));
    },
    async history(model, options = {}) {
      return (await store.read(model, options)).toReversed();
    },
    async disable(model, options = {}) {
      await change(model, options, (before) => disableAll(before, clock.now()));
    },
    async enable(id, options = {}) {
      const isIt = (each: Configuration): boolean => each.id === id;
      const model = (await list({ ...options, all: true })).find(isIt)?.model;
      if (model === undefined) throw unknown(`no configuration ${id}`);
      const history = await store.change(
        model,
        (before) => {
          const wanted = before.find(isIt);
          if (wanted === undefined) throw unknown(`no configuration ${id}`);
          return wanted.isEnabled ? before : enable(before, id, clock.now());
        },
        options,
      );
      return found(history, id);
    },
    follow() {
      let known: { stamp: string | null; atMs: number; enabled: readonly Configuration[] } | undefined;
      return {
        async enabled(options = {}) {
          const atMs = clock.monotonic();
          // Read before the list: what is written after it changes the stamp once more.
          const stamp = await store.stamp(options);
          if (known === undefined || known.stamp !== stamp || atMs - known.atMs >= RELIST_MS) {
            known = { stamp, atMs, enabled: await list(options) };
          }
          return known.enabled;
        },
      };
    },
  };
}

type Given = Pick<NewConfiguration, "idleTtlMs" | "keepWarm" | "description" | "demands">;

/** What was given, checked, and nothing else. */
function checkGiven({ idleTtlMs, keepWarm, description, demands }: Given): Partial<Configuration> {
  return {
    ...(idleTtlMs !== undefined && { idleTtlMs: checkDuration("idleTtlMs", idleTtlMs) }),
    ...(keepWarm !== undefined && { keepWarm }),
    ...(description !== undefined && { description: checkDescription(description) }),
    ...(demands !== undefined && { demands: checkDemands(demands) }),
  };
}

function found(history: readonly Configuration[], id: number): Configuration {
  const version = history.find((each) => each.id === id);
  if (version === undefined) throw unknown(`no configuration ${id}`);
  return version;
}

function conflict(model: string): GatewayError {
  return new GatewayError(
    "CONFIGURATION_CONFLICT",
    `model ${model} has an enabled configuration; disable it, or replace it`,
    { details: { field: "model" } },
  );
}

function unknown(what: string): GatewayError {
  return new GatewayError("CONFIGURATION_UNKNOWN", `there is ${what}`);
}
