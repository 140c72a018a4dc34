import { type FileHandle, open, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Where the body of an object is, and what is known of it. */
export interface Entry {
  readonly file: string;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
}

type Change = { readonly put: string; readonly entry: Entry } | { readonly delete: readonly string[] };

/** What objects there are: in memory, and as one line for each change in a file. */
export class Journal {
  readonly #entries: Map<string, Entry>;
  readonly #file: FileHandle;
  /** Up to the end of the last whole line. */
  #sizeBytes: number;
  /** Lines are written one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(entries: Map<string, Entry>, file: FileHandle, sizeBytes: number) {
    this.#entries = entries;
    this.#file = file;
    this.#sizeBytes = sizeBytes;
  }

  get entries(): ReadonlyMap<string, Entry> {
    return this.#entries;
  }

  /** Reads what is there, and writes it anew without what no longer counts. */
  static async open(directory: string): Promise<Journal> {
    const path = join(directory, "journal");
    const entries = new Map<string, Entry>();
    const text = await readFile(path, "utf8").catch(emptyIfMissing);
    // What follows the last line break is half a line: the power went before its change was acknowledged.
    for (const line of text.split("\n").slice(0, -1)) apply(entries, JSON.parse(line) as Change);
    const lines = [...entries].map(([key, entry]) => lineOf({ put: key, entry }));
    await writeFile(`${path}.new`, lines, { mode: 0o600, flush: true });
    await rename(`${path}.new`, path);
    await syncFolder(directory);
    const file = await open(path, "a");
    return new Journal(entries, file, (await file.stat()).size);
  }

  /** Resolves when the change survives a loss of power and `entries` shows it, with the entries that it ended. */
  append(change: Change): Promise<readonly Entry[]> {
    const done = this.#last.then(() => this.#write(change));
    this.#last = done.catch(() => {});
    return done;
  }

  async #write(change: Change): Promise<readonly Entry[]> {
    const line = lineOf(change);
    // Takes away what is left of a line that could not be written: it would spoil this one.
    await this.#file.truncate(this.#sizeBytes);
    await this.#file.appendFile(line);
    await this.#file.datasync();
    this.#sizeBytes += Buffer.byteLength(line);
    return apply(this.#entries, change);
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#file.close();
  }
}

/** Makes the names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  await handle.sync().finally(() => handle.close());
}

function apply(entries: Map<string, Entry>, change: Change): readonly Entry[] {
  const keys = "put" in change ? [change.put] : change.delete;
  const ended = keys.flatMap((key) => entries.get(key) ?? []);
  for (const key of keys) entries.delete(key);
  if ("put" in change) entries.set(change.put, change.entry);
  return ended;
}

function lineOf(change: Change): string {
  return `${JSON.stringify(change)}\n`;
}

function emptyIfMissing(error: NodeJS.ErrnoException): string {
  if (error.code === "ENOENT") return "";
  throw error;
}
