// A disk as the log of the shim tells it: what is certainly on it, and what might be.

/** The records of a log. */
export function* recordsOf(log) {
  for (let at = 0; at < log.length; ) {
    const type = String.fromCharCode(log[at]);
    const pathLength = log.readUInt16LE(at + 1);
    const offset = Number(log.readBigInt64LE(at + 3));
    const length = log.readUInt32LE(at + 11);
    const path = log.toString("utf8", at + 15, at + 15 + pathLength);
    const from = at + 15 + pathLength;
    yield { type, path, offset, data: log.subarray(from, from + length) };
    at = from + length;
  }
}

export class Disk {
  /** By path: what was synced, what was done since, and whether its name is sure to be there. */
  #files = new Map();

  apply({ type, path, offset, data }) {
    if (type === "S" && !this.#files.has(path)) {
      // The sync of a folder makes the names in it sure, those that came and those that went.
      for (const [name, file] of this.#files) {
        if (name.slice(0, name.lastIndexOf("/")) !== path) continue;
        if (file.isRemoved) this.#files.delete(name);
        else file.isNamed = true;
      }
      return;
    }
    let file = this.#files.get(path);
    if (file === undefined || (type === "C" && file.isRemoved)) {
      file = { synced: Buffer.alloc(0), since: [], isNamed: false, isRemoved: false };
      this.#files.set(path, file);
    }
    if (type === "W") file.since.push({ offset, data });
    if (type === "T") file.since.push({ length: offset });
    if (type === "U") file.isRemoved = true;
    if (type === "S") {
      file.synced = file.since.reduce(change, file.synced);
      file.since = [];
    }
  }

  /** The files after a loss of power. With `random`, some of what was not synced is there too, even torn. */
  afterLoss(random) {
    const files = new Map();
    for (const [path, file] of this.#files) {
      const isThere = file.isNamed
        ? !file.isRemoved || random === undefined || random() < 0.5
        : random !== undefined && random() < 0.5;
      if (!isThere) continue;
      const kept =
        random === undefined ? [] : file.since.filter(() => random() < 0.6).map((done) => torn(done, random));
      files.set(path, kept.reduce(change, file.synced));
    }
    return files;
  }
}

function change(before, { offset, data, length }) {
  if (length !== undefined) {
    const cut = Buffer.alloc(length);
    before.copy(cut, 0, 0, length);
    return cut;
  }
  // A buffer of one's own may have room left behind it; only sizes that outgrow it cost a copy of the whole.
  const end = Math.max(before.length, offset + data.length);
  const after = Buffer.alloc(end);
  before.copy(after);
  data.copy(after, offset);
  return after;
}

/** Disks write sectors; of a longer write any of them may be missing at the end. */
function torn(done, random) {
  if (done.data === undefined || random() < 0.7) return done;
  const sectors = Math.ceil(done.data.length / 512);
  return { offset: done.offset, data: done.data.subarray(0, 512 * Math.floor(random() * sectors)) };
}
