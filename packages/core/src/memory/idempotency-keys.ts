import type { NewTask } from "../contracts/ledger.ts";

interface Remembered {
  readonly task: string;
  readonly digest: string;
  readonly expiresAtMs: number;
}

/** The idempotency keys that are remembered, and the tasks that are kept because of them. */
export class IdempotencyKeys {
  readonly #keys = new Map<string, Remembered>();
  readonly #byTask = new Map<string, string>();

  /** The task that the request's key stands for now, and whether that asked for the same. */
  find(task: NewTask, nowMs: number): { readonly task: string; readonly isSame: boolean } | undefined {
    if (task.idempotency === undefined) return undefined;
    const name = nameOf(task, task.idempotency.key);
    const remembered = this.#keys.get(name);
    if (remembered === undefined) return undefined;
    if (remembered.expiresAtMs <= nowMs) {
      this.#forget(name, remembered.task);
      return undefined;
    }
    return { task: remembered.task, isSame: remembered.digest === task.idempotency.digest };
  }

  remember(task: NewTask, nowMs: number): void {
    if (task.idempotency === undefined) return;
    const { key, digest, keepMs } = task.idempotency;
    const name = nameOf(task, key);
    this.#keys.set(name, { task: task.id, digest, expiresAtMs: nowMs + keepMs });
    this.#byTask.set(task.id, name);
  }

  /** Whether the row of this task has to stay, so that its key can still be answered. */
  isKept(task: string, nowMs: number): boolean {
    const name = this.#byTask.get(task);
    if (name === undefined) return false;
    if ((this.#keys.get(name)?.expiresAtMs ?? 0) > nowMs) return true;
    this.#forget(name, task);
    return false;
  }

  #forget(name: string, task: string): void {
    this.#keys.delete(name);
    this.#byTask.delete(task);
  }
}

/** No name of a stored task holds a NUL. */
function nameOf({ owner, model, operation }: NewTask, key: string): string {
  return `${owner}\0${model}\0${operation}\0${key}`;
}
