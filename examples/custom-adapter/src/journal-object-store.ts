import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { type FileHandle, mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { GatewayError, type ObjectStat, type ObjectStore, type OperationOptions } from "@modelgate/core";
import { readBody, type Signals, throwIfAborted, writeBody } from "./bodies.ts";
import { boundsOf, requireKey } from "./checks.ts";
import { atDisk } from "./disk-errors.ts";
import { type Entry, Journal, syncFolder } from "./journal.ts";
import { lock } from "./lock.ts";

const PAGE = 1000;

/**
 * Objects of one process: a file for each body, and a journal of what objects there are. `stat` and `list` never touch
 * the disk. Closing ends what is being written or read with `CLOSED`.
 */
export function journalObjectStore(options: { readonly directory: string }): ObjectStore {
  const { directory } = options;
  const bodies = join(directory, "bodies");
  const closing = new AbortController();
  // As many listeners as there are bodies under way; Node warns of more than ten.
  setMaxListeners(0, closing.signal);
  const underWay = new Set<Promise<unknown>>();
  let opened: Promise<Journal> | undefined;
  let unlock = async (): Promise<void> => {};
  let closed: Promise<void> | undefined;

  /** Every method begins here: open and not aborted, or it rejects with the reason. */
  async function begin({ signal }: OperationOptions): Promise<{ journal: Journal; signals: Signals }> {
    const signals = signal === undefined ? [closing.signal] : [closing.signal, signal];
    throwIfAborted(signals);
    opened ??= openJournal();
    return { journal: await opened, signals };
  }

  async function openJournal(): Promise<Journal> {
    try {
      await mkdir(bodies, { recursive: true, mode: 0o700 });
      unlock = await lock(directory);
      const journal = await Journal.open(directory);
      // Bodies that no line names: what was being written when the last process ended.
      const named = new Set([...journal.entries.values()].map(({ file }) => file));
      for (const file of await readdir(bodies)) if (!named.has(file)) await rm(join(bodies, file));
      return journal;
    } catch (error) {
      opened = undefined;
      await unlock();
      throw error;
    }
  }

  /** What has begun to change something ends before the store is closed. */
  function change<T>(work: () => Promise<T>): Promise<T> {
    const done = atDisk(work);
    underWay.add(done);
    return done.finally(() => underWay.delete(done));
  }

  async function removeBodies(entries: readonly Entry[]): Promise<void> {
    await Promise.all(entries.map(({ file }) => rm(join(bodies, file), { force: true })));
  }

  return {
    capabilities: { durable: true, shared: false, presign: false },

    put: (key, body, options = {}) =>
      change(async () => {
        requireKey(key);
        const { journal, signals } = await begin(options);
        const file = randomUUID();
        const sizeBytes = await writeBody(join(bodies, file), body, signals);
        await syncFolder(bodies);
        const entry = { file, sizeBytes, modifiedAtMs: Date.now() };
        // The one moment at which the object is there, or is another one.
        await removeBodies(await journal.append({ put: key, entry }));
        return statOf(key, entry);
      }),

    get: (key, options = {}) =>
      atDisk(async () => {
        requireKey(key);
        const { journal, signals } = await begin(options);
        for (;;) {
          const entry = journal.entries.get(key);
          if (entry === undefined) return undefined;
          const bounds = boundsOf(options.range, entry.sizeBytes);
          const file = await openBody(join(bodies, entry.file));
          if (file !== undefined) return { ...statOf(key, entry), body: readBody(file, bounds, signals) };
          // It was replaced or deleted between the look at the journal and the opening of its file, else it is lost.
          if (journal.entries.get(key) === entry) {
            throw new GatewayError("STORE_UNAVAILABLE", "an object's body is gone from the disk");
          }
        }
      }),

    stat: async (key, options = {}) => {
      requireKey(key);
      const { journal } = await begin(options);
      const entry = journal.entries.get(key);
      return entry && statOf(key, entry);
    },

    delete: (keys, options = {}) =>
      change(async () => {
        for (const key of keys) requireKey(key);
        const { journal } = await begin(options);
        const there = keys.filter((key) => journal.entries.has(key));
        if (there.length > 0) await removeBodies(await journal.append({ delete: there }));
      }),

    list: async (prefix, cursor = "", options = {}) => {
      const { journal } = await begin(options);
      const rest = [...journal.entries].filter(([key]) => key.startsWith(prefix) && key > cursor);
      const items = rest.map(([key, entry]) => statOf(key, entry)).sort((a, b) => (a.key < b.key ? -1 : 1));
      const page = items.slice(0, PAGE);
      return { items: page, nextCursor: items.length > PAGE ? page.at(-1)?.key : undefined };
    },

    presign: async (_key, _expiresInMs, options = {}) => {
      await begin(options);
      throw new GatewayError("UNSUPPORTED", "these objects have no address");
    },

    close: () => {
      closing.abort(new GatewayError("CLOSED", "the journal object store is closed"));
      closed ??= (async () => {
        await Promise.allSettled(underWay);
        await (await opened?.catch(() => undefined))?.close();
        await unlock();
      })();
      return closed;
    },
  };
}

async function openBody(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function statOf(key: string, { sizeBytes, modifiedAtMs }: Entry): ObjectStat {
  return { key, sizeBytes, modifiedAtMs };
}
