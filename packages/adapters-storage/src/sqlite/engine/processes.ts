import { readFileSync, readlinkSync } from "node:fs";
import { holderOf } from "@modelgate/core/adapter";
import type { Session } from "./session.ts";

/** What tells a process from another that has its number later, or from one that cannot be seen from here. */
export interface ProcessMark {
  readonly pid: number;
  /** Clock ticks from the start of the machine to that of the process; a reused number has another. */
  readonly started: string | null;
  readonly boot: string | null;
  /** Processes of another container are not to be seen, and must not be taken for dead. */
  readonly namespace: string | null;
}

export function ownMark(): ProcessMark {
  return {
    pid: process.pid,
    started: startOf(process.pid)?.started ?? null,
    boot: bootId(),
    namespace: namespace(),
  };
}

export function registerProcess({ db, processId }: Session, mark: ProcessMark): void {
  db.sql("INSERT OR REPLACE INTO processes (id, pid, started, boot, namespace) VALUES (?, ?, ?, ?, ?)").run([
    processId,
    mark.pid,
    mark.started,
    mark.boot,
    mark.namespace,
  ]);
}

export function unregisterProcess({ db, processId }: Pick<Session, "db" | "processId">): void {
  db.sql("DELETE FROM processes WHERE id = ?").run([processId]);
}

/** Holders whose process has ended without closing the store, each with its process; a process without runners once. */
export function deadHolders({ db, processId }: Session): { holder: string | undefined; process: string }[] {
  const others = db
    .sql("SELECT id, pid, started, boot, namespace FROM processes WHERE id <> ?")
    .all([processId]);
  return others.flatMap(([id, pid, started, boot, space]) => {
    const mark = { pid, started, boot, namespace: space } as ProcessMark;
    if (!isDead(mark)) return [];
    const process = id as string;
    const runners = db.sql("SELECT runner, incarnation FROM runners WHERE process = ?").all([process]);
    const holders = runners.map(([runner, incarnation]) => {
      return { holder: holderOf({ runner: runner as string, incarnation: incarnation as string }), process };
    });
    return [...holders, { holder: undefined, process }];
  });
}

/** Called for each holder of a dead process, last without one: only then is the process itself forgotten. */
export function forgetProcess({ db }: Session, process: string, holder: string | undefined): void {
  if (holder !== undefined) return;
  for (const sql of ["DELETE FROM runners WHERE process = ?", "DELETE FROM processes WHERE id = ?"])
    db.sql(sql).run([process]);
}

/** Whether the process is known to have ended. When in doubt it lives, and its leases decide. */
export function isDead(mark: ProcessMark): boolean {
  const boot = bootId();
  if (mark.boot !== null && boot !== null && mark.boot !== boot) return true;
  if (mark.namespace !== namespace()) return false;
  if (boot === null || mark.started === null) return !exists(mark.pid);
  const found = startOf(mark.pid);
  if (found === undefined) return !exists(mark.pid);
  // Z is a zombie and X is being removed: both run no code any more. A stopped process (T) may go on.
  return found.started !== mark.started || found.state === "Z" || found.state === "X";
}

/** State and start of a process from `/proc`, where there is one: fields 3 and 22 of proc(5). */
function startOf(pid: number): { state: string; started: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name of the program stands in brackets and may hold anything, brackets and spaces too.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, started] = [fields[0], fields[19]];
    return state === undefined || started === undefined ? undefined : { state, started };
  } catch {
    return undefined;
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

let boot: string | null | undefined;

function bootId(): string | null {
  boot ??= readOrNull(() => readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim());
  return boot;
}

function namespace(): string | null {
  return readOrNull(() => readlinkSync("/proc/self/ns/pid"));
}

function readOrNull(read: () => string): string | null {
  try {
    return read();
  } catch {
    return null;
  }
}
