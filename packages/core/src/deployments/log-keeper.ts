import type { Clock } from "../contracts/clock.ts";
import type { DeployedServer, Deployer, LogLine } from "../contracts/deployer.ts";
import type { JsonValue, RecordStore } from "../contracts/record-store.ts";
import { withinTime } from "../tasks/time-limit.ts";

const TAIL_LINES = 50;
const MAX_BYTES = 16_384;
const TIMEOUT_MS = 5_000;

/** Keeps the last lines of a server that failed, since they go with the server. The deployer has masked its secrets. */
export class LogKeeper {
  readonly #records: RecordStore;
  readonly #clock: Clock;

  constructor(records: RecordStore, clock: Clock) {
    this.#records = records;
    this.#clock = clock;
  }

  /** Never rejects: a failure without its log is still told. */
  async keep(
    model: string,
    deployer: Deployer,
    server: DeployedServer,
    installation: string,
    signal: AbortSignal,
  ): Promise<void> {
    if (!deployer.capabilities.logs) return;
    try {
      await withinTime(this.#clock, TIMEOUT_MS, async (limit) => {
        const within = { signal: AbortSignal.any([signal, limit]) };
        const lines: LogLine[] = [];
        const read = deployer.logs(server.id, { installation, tail: TAIL_LINES, ...within });
        for await (const line of read) lines.push(line);
        const key = keyOf(model);
        const before = await this.#records.get(key, within);
        const value = { v: 1, generation: server.generation, lines: lastOf(lines) } as unknown as JsonValue;
        await this.#records.put(key, value, before?.version ?? null, within);
      });
    } catch {
      // The server may be gone with what it wrote, or the store away.
    }
  }

  async read(model: string, signal?: AbortSignal): Promise<readonly LogLine[]> {
    const record = await this.#records.get(keyOf(model), { signal });
    return (record?.value as unknown as { readonly lines: readonly LogLine[] } | undefined)?.lines ?? [];
  }
}

function keyOf(model: string): string {
  return `deployments/logs/${model}`;
}

function lastOf(lines: readonly LogLine[]): LogLine[] {
  const kept: LogLine[] = [];
  let bytes = 0;
  for (const line of [...lines].reverse()) {
    bytes += line.text.length;
    if (bytes > MAX_BYTES) break;
    // A record takes no NUL.
    kept.unshift({ ...line, text: line.text.replaceAll("\0", "�").toWellFormed() });
  }
  return kept;
}
