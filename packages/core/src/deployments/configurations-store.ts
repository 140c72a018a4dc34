import type { Clock } from "../contracts/clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { RecordStore } from "../contracts/record-store.ts";
import { GatewayError } from "../errors.ts";
import { withinTime } from "../tasks/time-limit.ts";
import { fromJson, type History, toJson } from "./configurations-history.ts";
import { isModelName } from "./validate.ts";

const MODELS = "on-demand/models/";
const COUNTER = "on-demand/counter";
const STAMP = "on-demand/stamp";
/** Writers that meet each other try again so often; each time somebody else got on. */
const MAX_TRIES = 1_000;
const STORE_TIMEOUT_MS = 10_000;

/** One record for each model with all versions of its configuration, so that one compare-and-set decides which is enabled. */
export class ConfigurationStore {
  readonly #records: RecordStore;
  readonly #clock: Clock;

  constructor(records: RecordStore, clock: Clock) {
    this.#records = records;
    this.#clock = clock;
  }

  async read(model: string, options: OperationOptions): Promise<History> {
    if (!isModelName(model)) return [];
    const record = await this.#call(options, (each) => this.#records.get(`${MODELS}${model}`, each));
    return record === undefined ? [] : fromJson(record.value);
  }

  /** Of all models, by name. */
  async readAll(options: OperationOptions): Promise<readonly History[]> {
    const found: { readonly key: string; readonly history: History }[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#call(options, (each) => this.#records.list(MODELS, cursor, each));
      for (const { key, value } of page.items) found.push({ key, history: fromJson(value) });
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    // In which order a store lists is its own business.
    return found.sort((one, other) => (one.key < other.key ? -1 : 1)).map(({ history }) => history);
  }

  /**
   * Decides on what is there and writes the decision. `decide` is called again when somebody else was first, and gives
   * back what it was given when there is nothing to write. Rejects what `decide` throws.
   */
  async change(
    model: string,
    decide: (history: History) => History | Promise<History>,
    options: OperationOptions,
  ): Promise<History> {
    const key = `${MODELS}${model}`;
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const record = await this.#call(options, (each) => this.#records.get(key, each));
      const before = record === undefined ? [] : fromJson(record.value);
      const after = await decide(before);
      if (after === before) return before;
      const value = toJson(after);
      const written = await this.#call(options, (each) =>
        this.#records.put(key, value, record?.version ?? null, each),
      );
      if (written === undefined) continue;
      await this.#markChange(options);
      return fromJson(written.value);
    }
    throw new GatewayError(
      "CONFIGURATION_CONFLICT",
      `the configurations of ${model} are being changed by too many at once`,
    );
  }

  /** A number that no configuration of the installation has had. */
  async nextId(options: OperationOptions): Promise<number> {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const record = await this.#call(options, (each) => this.#records.get(COUNTER, each));
      const id = record === undefined ? 1 : Number(record.value) + 1;
      const written = await this.#call(options, (each) =>
        this.#records.put(COUNTER, id, record?.version ?? null, each),
      );
      if (written !== undefined) return id;
    }
    throw new GatewayError("CONFIGURATION_CONFLICT", "too many configurations are being created at once");
  }

  /** From now on no configuration gets one of the ids up to this one. */
  async reserveIds(upTo: number, options: OperationOptions): Promise<void> {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const record = await this.#call(options, (each) => this.#records.get(COUNTER, each));
      if (record !== undefined && Number(record.value) >= upTo) return;
      const written = await this.#call(options, (each) =>
        this.#records.put(COUNTER, upTo, record?.version ?? null, each),
      );
      if (written !== undefined) return;
    }
    throw new GatewayError("CONFIGURATION_CONFLICT", "too many configurations are being created at once");
  }

  /** Changes after every write; `null` before the first. */
  async stamp(options: OperationOptions): Promise<string | null> {
    return (await this.#call(options, (each) => this.#records.get(STAMP, each)))?.version ?? null;
  }

  /**
   * Whoever is first after our write has told of it for us, so one try is enough. That it fails must not turn a write
   * that took place into an error: who follows looks from time to time anyway.
   */
  async #markChange(options: OperationOptions): Promise<void> {
    try {
      const version = await this.stamp(options);
      await this.#call(options, (each) => this.#records.put(STAMP, this.#clock.now(), version, each));
    } catch {
      // See above.
    }
  }

  async #call<T>(
    { signal }: OperationOptions,
    call: (options: { signal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    return await withinTime(this.#clock, STORE_TIMEOUT_MS, (limit) =>
      call({ signal: signal === undefined ? limit : AbortSignal.any([limit, signal]) }),
    );
  }
}
