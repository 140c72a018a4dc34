import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { ObjectStore } from "@modelgate/core";
import { filesystemObjectStore } from "../../../adapters-storage/src/filesystem/index.ts";
import type { ServiceName } from "./plan.ts";
import { type StoreWatch, watchSqlite } from "./store-watch.ts";
import type { TcpLink } from "./tcp-link.ts";

export type Pairing = "sqlite+files" | "postgres+files" | "postgres+s3";

/** A real service that can be taken away; without these it is taken away by the network alone. */
export interface ServiceControl {
  stop(): Promise<void>;
  kill(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  restart(): Promise<void>;
}

/** A service, and the links by which our processes reach it. */
export interface StageService {
  readonly name: ServiceName;
  readonly links: readonly TcpLink[];
  readonly control?: ServiceControl | undefined;
}

/** Where everything is kept in a run, and how a process of ours is told of it. */
export interface Stage {
  readonly services: readonly StageService[];
  /** Variables for the process of this name. */
  env(process: string): Readonly<Record<string, string>>;
  readonly watch: StoreWatch;
  readonly objects: ObjectStore;
  close(): Promise<void>;
}

export interface StageOptions {
  readonly folder: string;
  /** Names of the processes that will be there. */
  readonly processes: readonly string[];
}

export async function openSqliteStage({ folder }: StageOptions): Promise<Stage> {
  const dataDir = join(folder, "data");
  await mkdir(join(dataDir, "objects"), { recursive: true });
  const watch = watchSqlite(dataDir);
  const objects = filesystemObjectStore({ directory: join(dataDir, "objects") });
  return {
    services: [],
    env: () => ({ MODELGATE_DATA_DIR: dataDir }),
    watch,
    objects,
    async close() {
      await Promise.all([watch.close(), objects.close()]);
    },
  };
}
