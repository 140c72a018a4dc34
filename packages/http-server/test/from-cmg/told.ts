import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { COMMANDS } from "../../src/command/command-table.ts";
import { readFlags } from "../../src/command/read-flags.ts";
import { gather } from "../../src/command/settings/gather.ts";
import { type ReadSettings, trySettings } from "../../src/command/settings/read-settings.ts";

export interface Desk {
  /** Writes a file; resolves to its path. */
  file(name: string, content: unknown): string;
  /** What a command makes of flags and an environment. */
  read(
    args: readonly string[],
    environment?: Record<string, string>,
    command?: string,
  ): Promise<ReadSettings>;
  close(): void;
}

export function openDesk(): Desk {
  const folder = mkdtempSync(join(tmpdir(), "modelgate-from-cmg-"));
  return {
    file(name, content) {
      const path = join(folder, name);
      writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
      return path;
    },
    async read(args, environment = {}, command = "serve") {
      const spec = COMMANDS.find(({ name }) => name === command);
      if (spec === undefined) throw new Error(`there is no ${command}`);
      return trySettings(await gather(spec, readFlags(spec, args), environment));
    },
    close: () => rmSync(folder, { recursive: true }),
  };
}

/** What CMG's compose file gives to its processes, with the values of its guide. */
export const COMPOSE_VARIABLES = {
  CMG_DB_USER: "admin",
  CMG_DB_PASSWORD: "p@ss/word",
  CMG_DB_HOST: "db",
  CMG_DB_PORT: "5432",
  CMG_DB_NAME: "cmg_tasks",
  CMG_OBJECT_STORE_ACCESS_KEY: "minio-user",
  CMG_OBJECT_STORE_SECRET_KEY: "minio-secret",
  CMG_OBJECT_STORE_HOST: "object-store",
  CMG_OBJECT_STORE_PORT: "9000",
  CMG_QUEUE_USER: "admin",
  CMG_QUEUE_PASSWORD: "queue-secret",
  CMG_QUEUE_HOST: "queue",
  CMG_QUEUE_PORT: "5672",
  CMG_QUEUE_NAME: "cmg_tasks",
  CMG_COMMON_LOG_LEVEL: "INFO",
  CMG_GATEWAY_LOG_LEVEL: "DEBUG",
  CMG_SCHEDULER_MAX_CONCURRENT_TASKS: "4",
  PROMETHEUS_MULTIPROC_DIR: "/tmp/prometheus",
};
