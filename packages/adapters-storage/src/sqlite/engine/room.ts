import type { Session } from "./session.ts";

const IN_SLOTS = "state = 1 AND holder IS NOT NULL AND recovering = 0 AND background = 0";
const USED = `SELECT count(*) FROM tasks WHERE ${IN_SLOTS} AND server = ?`;
const ALL_USED = `SELECT server, count(*) FROM tasks WHERE ${IN_SLOTS} GROUP BY server`;

/** With more servers than this it is cheaper to read all that are in use than to seek each. */
const MANY_SERVERS = 32;

/** A server that a task may be granted to. */
export interface SlotTarget {
  readonly server: string;
  readonly instance?: string | undefined;
  readonly limit: number;
}

/** What is taken of each server, as it changes while grants are made; two wants may name one server. */
export class Room {
  readonly #session: Session;
  readonly #used: Map<string, number> | undefined;
  readonly #seen = new Map<string, number>();
  readonly #held = new Map<string, boolean>();

  /** @param servers how many it will be asked about. */
  constructor(session: Session, servers: number) {
    this.#session = session;
    if (servers > MANY_SERVERS)
      this.#used = new Map(session.db.sql(ALL_USED).all([]) as unknown as [string, number][]);
  }

  used(server: string): number {
    let used = this.#seen.get(server);
    if (used === undefined) {
      used =
        this.#used?.get(server) ??
        (this.#used === undefined ? (this.#session.db.sql(USED).get([server])?.[0] as number) : 0);
      this.#seen.set(server, used);
    }
    return used;
  }

  isHeld(server: string): boolean {
    let held = this.#held.get(server);
    if (held === undefined) {
      held = this.#session.db.sql("SELECT 1 FROM holds WHERE server = ?").get([server]) !== undefined;
      this.#held.set(server, held);
    }
    return held;
  }

  hasFor(want: SlotTarget, background: boolean): boolean {
    return background ? !this.isHeld(want.server) : this.used(want.server) < want.limit;
  }

  take(want: SlotTarget, background: boolean, id: string, attempt: number): void {
    if (!background) {
      this.#seen.set(want.server, this.used(want.server) + 1);
      return;
    }
    this.#held.set(want.server, true);
    const values = [want.server, id, attempt, want.instance ?? null];
    this.#session.db.sql("INSERT INTO holds (server, id, attempt, instance) VALUES (?, ?, ?, ?)").run(values);
  }
}
