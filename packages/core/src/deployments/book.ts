import type { Clock } from "../contracts/clock.ts";
import type { JsonValue, RecordStore, StoredRecord } from "../contracts/record-store.ts";
import { GatewayError } from "../errors.ts";
import { withinTime } from "../tasks/time-limit.ts";
import type { Entry } from "./entry.ts";

const KEY = "deployments/book";
/** Writers that meet each other try again so often; each time somebody else got on. */
const MAX_TRIES = 100;
const STORE_TIMEOUT_MS = 10_000;
/** The record store takes 256 KiB. New entries are refused before, so that there is room for what becomes of the others. */
const MAX_CHARACTERS = 200_000;

/** All deployments of an installation, by model. */
export type Entries = ReadonlyMap<string, Entry>;

/** The entries as they were at one version. */
interface Edition {
  readonly version: string | null;
  /** Counts the changes. */
  readonly number: number;
  readonly entries: Entries;
}

const EMPTY: Edition = { version: null, number: 0, entries: new Map() };

/** What a change makes of the entries: the new one, `null` to strike it out, or `undefined` to leave all as it is. */
export type EntryChange = { readonly model: string; readonly entry: Entry | null };

/**
 * The deployments of an installation in one document, so that every decision that concerns several of them (a name,
 * the room, how many are at work) is made by one compare-and-set.
 */
export class DeploymentBook {
  readonly #records: RecordStore;
  readonly #clock: Clock;
  #last: Edition | undefined;
  /** Counts what was taken notice of. */
  #taken = 0;

  constructor(records: RecordStore, clock: Clock) {
    this.#records = records;
    this.#clock = clock;
  }

  /** What was read or written last; empty before. */
  get known(): Entries {
    return this.#last?.entries ?? new Map();
  }

  async read(signal?: AbortSignal): Promise<Entries> {
    return (await this.#read(signal)).entries;
  }

  /**
   * Decides on what is there and writes the decision. `decide` is called again when somebody else was first, and
   * resolves to nothing when there is nothing to write. Rejects what `decide` throws.
   */
  async change(
    decide: (entries: Entries) => EntryChange | readonly EntryChange[] | undefined,
    signal?: AbortSignal,
  ): Promise<Entries> {
    for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
      const before = tries === 1 ? this.#last : undefined;
      const { version, number, entries } = before ?? (await this.#read(signal));
      const decided = decide(entries);
      const changes = decided === undefined ? [] : [decided].flat();
      if (changes.length === 0) {
        // A decision to do nothing must not rest on what was read a while ago.
        if (before === undefined) return entries;
        continue;
      }
      const after = new Map(entries);
      for (const { model, entry } of changes) {
        if (entry === null) after.delete(model);
        else after.set(model, entry);
      }
      const text = JSON.stringify({ v: 1, number: number + 1, entries: [...after.values()] });
      if (after.size > entries.size && text.length > MAX_CHARACTERS) throw full(entries.size);
      const value = JSON.parse(text) as JsonValue;
      const since = this.#taken;
      const record = await this.#call(signal, (options) => this.#records.put(KEY, value, version, options));
      if (record !== undefined) return this.#take(record, since).entries;
    }
    throw new GatewayError("STORE_UNAVAILABLE", "the deployments are being changed by too many at once");
  }

  async #read(signal?: AbortSignal): Promise<Edition> {
    const since = this.#taken;
    const record = await this.#call(signal, (options) => this.#records.get(KEY, options));
    return this.#take(record, since);
  }

  /** Calls overtake each other: what was older than what was taken notice of meanwhile must not undo it. */
  #take(record: StoredRecord | undefined, since: number): Edition {
    const last = this.#last;
    if (last !== undefined && last.version === record?.version) return last;
    const edition = record === undefined ? EMPTY : fromJson(record);
    if (last !== undefined && this.#taken !== since && edition.number <= last.number) return last;
    this.#taken += 1;
    this.#last = edition;
    return edition;
  }

  async #call<T>(
    signal: AbortSignal | undefined,
    call: (options: { signal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    return await withinTime(this.#clock, STORE_TIMEOUT_MS, (limit) =>
      call({ signal: signal === undefined ? limit : AbortSignal.any([limit, signal]) }),
    );
  }
}

function full(count: number): GatewayError {
  const message = `${count} deployments are as many as one installation can keep; remove some`;
  return new GatewayError("NO_ROOM", message, { details: { field: "model" } });
}

function fromJson({ version, value }: StoredRecord): Edition {
  const { v, number = 0, entries } = value as unknown as Written;
  if (v !== 1) {
    throw new GatewayError("STORE_TOO_NEW", "the deployments were written by a newer version of Modelgate");
  }
  return { version, number, entries: new Map(entries.map((entry) => [entry.model, entry])) };
}

interface Written {
  readonly v: number;
  readonly number?: number;
  readonly entries: readonly Entry[];
}
