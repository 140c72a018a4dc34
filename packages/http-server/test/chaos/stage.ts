import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { ObjectStore } from "@modelgate/core";
import { filesystemObjectStore } from "../../../adapters-storage/src/filesystem/index.ts";
import type { BrokerName, LossKind, PlannedBroker, ServiceName } from "./plan.ts";
import { type StoreWatch, watchSqlite } from "./store-watch.ts";
import type { TcpLink } from "./tcp-link.ts";

const PAIRINGS = [
  "sqlite+files",
  "postgres+files",
  "postgres+s3",
  "postgres+redis+s3",
  "postgres+rabbitmq+s3",
] as const;

/** The store, the broker that is its queue if there is one, and where objects are. */
export type Pairing = (typeof PAIRINGS)[number];

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

/** A broker, and what is done to it besides taking it away. */
export interface StageBroker extends PlannedBroker {
  readonly name: BrokerName;
  /** By the name of the process. */
  readonly links: ReadonlyMap<string, TcpLink>;
  /** Makes it lose what it keeps; tells how many entries that were. */
  lose(kind: LossKind): Promise<number>;
  /** Blocks whoever publishes; tells whether they were blocked. */
  readonly alarm?: ((forMs: number) => Promise<boolean>) | undefined;
}

/** Where everything is kept in a run, and how a process of ours is told of it. */
export interface Stage {
  readonly services: readonly StageService[];
  /** Those services among them that may be away without anything being refused. */
  readonly brokers: readonly StageBroker[];
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
    brokers: [],
    env: () => ({ MODELGATE_DATA_DIR: dataDir }),
    watch,
    objects,
    async close() {
      await Promise.all([watch.close(), objects.close()]);
    },
  };
}
