import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type Dockerode from "dockerode";
import { type EnginePart, openEnginePart } from "../../command/docker-engine.ts";
import { type BuiltCommand, buildCommand } from "../../support/build-command.ts";
import { type Answer, type Call, call } from "../../support/http-client.ts";
import { type ClusterStore, openClusterStore } from "./cluster-store.ts";
import { EngineDiary } from "./engine-diary.ts";
import { EngineGate, type Stop } from "./engine-gate.ts";
import { Member } from "./member.ts";
import { StoreGate } from "./store-gate.ts";
import type { Traps } from "./trap.ts";

/**
 * What a process is: a gateway that does everything, one that deploys nothing, or a reaper. All of them tell of
 * themselves in the store, and only those that deploy take steps.
 */
export type MemberKind = "gateway" | "front" | "reaper";

export interface ClusterOptions {
  readonly enginePath: string;
  readonly image: string;
  /** PostgreSQL; without it the processes share a directory. */
  readonly postgresUrl?: string | undefined;
  readonly members: readonly MemberKind[];
  /** Switches of the model server. */
  readonly serverArgs?: readonly string[];
  readonly settings?: {
    readonly docker?: object;
    readonly deployments?: object;
    readonly cms?: object;
    readonly maxWaitMs?: number;
  };
}

export const LEASE_MS = 2_000;
const KEY = "the-key-of-this-test";

/** Processes of the command on one store and one engine, each behind gates of its own. */
export class Cluster {
  readonly part: EnginePart;
  readonly diary: EngineDiary;
  readonly members: readonly Member[];
  readonly store: ClusterStore;
  readonly traps: Traps;
  /** Every attempt to stop or remove a server, and what it had to do then. */
  readonly stops: Stop[];
  readonly #closes: (() => Promise<unknown>)[];

  private constructor(parts: {
    readonly part: EnginePart;
    readonly diary: EngineDiary;
    readonly members: readonly Member[];
    readonly store: ClusterStore;
    readonly traps: Traps;
    readonly stops: Stop[];
    readonly closes: (() => Promise<unknown>)[];
  }) {
    this.part = parts.part;
    this.diary = parts.diary;
    this.members = parts.members;
    this.store = parts.store;
    this.traps = parts.traps;
    this.stops = parts.stops;
    this.#closes = parts.closes;
  }

  static async open(options: ClusterOptions): Promise<Cluster> {
    const { enginePath, image, postgresUrl } = options;
    const folder = await mkdtemp(join(tmpdir(), "modelgate-cluster-"));
    const built: BuiltCommand = await buildCommand();
    const part = openEnginePart(enginePath, image);
    const diary = await EngineDiary.open(part.docker, part.label);
    const store = await openClusterStore(postgresUrl, folder);
    const traps: Traps = { current: undefined };
    const stops: Stop[] = [];
    const closes: (() => Promise<unknown>)[] = [];
    const workIn = (id: string) => workOf(part.docker, id);
    const members = await Promise.all(
      options.members.map(async (kind, member) => {
        const engineGate = await EngineGate.open({ enginePath, member, traps, workIn, stops });
        closes.push(() => engineGate.close());
        const storeGate =
          postgresUrl === undefined ? undefined : await StoreGate.open(postgresUrl, member, traps);
        if (storeGate !== undefined) closes.push(() => storeGate.close());
        const name = `m${member}`;
        const config = join(folder, `${name}.json`);
        await mkdir(store.dataDir, { recursive: true });
        const settings = settingsOf(kind, name, options, part, engineGate.socketPath);
        await writeFile(config, JSON.stringify({ ...settings, ...store.settings(storeGate?.url) }));
        return new Member(kind, name, built.file, config);
      }),
    );
    closes.push(
      async () => diary.close(),
      () => part.close(),
      () => store.close(),
      () => built.remove(),
      () => rm(folder, { recursive: true, force: true }),
    );
    const cluster = new Cluster({ part, diary, members, store, traps, stops, closes });
    // One after the other: the first makes what the store needs.
    for (const member of members) await member.start();
    return cluster;
  }

  /** Addresses of those that answer now. */
  get urls(): readonly string[] {
    return this.members.filter(({ isUp }) => isUp).flatMap(({ url }) => url ?? []);
  }

  /** A call of somebody who has the key, to one that is up. */
  async ask(target: string, options: Call = {}): Promise<Answer> {
    const [url] = this.urls;
    if (url === undefined) throw new Error("no gateway is up");
    return await call(url, target, { ...options, headers: { "x-modelgate-key": KEY, ...options.headers } });
  }

  /** Makes a model known that is deployed when somebody asks for it; resolves to its name. */
  async onDemandModel(idleTtl: number): Promise<string> {
    const name = `${this.part.id}-${randomBytes(3).toString("hex")}`;
    const { status, text } = await this.ask("/admin/on-demand", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model_name: name, model_uri: "s3://models/m", idle_ttl: idleTtl }),
    });
    if (status !== 201) throw new Error(`the model was not configured: ${status} ${text}`);
    return name;
  }

  /** Containers of this cluster's models, whatever their state. */
  async containers(): Promise<Dockerode.ContainerInfo[]> {
    return await this.part.docker.listContainers({ all: true, filters: { label: [this.part.label] } });
  }

  /** What all processes wrote last, and what was seen of the engine. */
  report(): string {
    const time = (atMs: number): string => new Date(atMs).toISOString();
    return [
      ...this.members.map((member) => `--- ${member.name}\n${member.output().slice(-10_000)}`),
      "--- stops",
      ...this.stops.map(
        (stop) => `${time(stop.atMs)} m${stop.member} ${stop.call} at work: ${stop.inFlight}`,
      ),
      "--- events",
      ...this.diary.events.map(({ atMs, action, id, generation }) =>
        [time(atMs), action, id.slice(0, 12), generation].join(" "),
      ),
    ].join("\n");
  }

  async close(): Promise<void> {
    this.traps.current?.release(false);
    await Promise.all(this.members.map((member) => member.kill()));
    for (const close of this.#closes)
      await close().catch((error) => console.warn("a part did not close", error));
  }
}

function settingsOf(
  kind: MemberKind,
  name: string,
  { serverArgs = [], settings = {} }: ClusterOptions,
  part: EnginePart,
  socket: string,
): Record<string, unknown> {
  const pace = { leaseMs: LEASE_MS, pollMs: 200, logLevel: "debug", adminKey: KEY };
  return {
    ...{ ...pace, name, maxWaitMs: settings.maxWaitMs ?? 60_000 },
    docker: { ...part.settings.docker, socket, ...settings.docker },
    cms: { ...part.settings.cms, extraArgs: serverArgs, ...settings.cms },
    deployments: {
      ...{ enabled: true, deploys: kind !== "front", retryMs: 100, stopGraceMs: 2_000 },
      ...settings.deployments,
    },
  };
}

/** How many calls of tasks are under way in a container; what does not answer does nothing. */
async function workOf(docker: Dockerode, id: string): Promise<number> {
  const look = async (): Promise<number> => {
    const { NetworkSettings, State } = await docker.getContainer(id).inspect();
    if (!State.Running || State.Paused) return 0;
    const [address] = Object.values(NetworkSettings.Networks).map(({ IPAddress }) => IPAddress);
    const counts = await fetch(`http://${address}:8000/counts`, { signal: AbortSignal.timeout(1_000) });
    // This question is one of them.
    return ((await counts.json()) as { inFlight: number }).inFlight - 1;
  };
  try {
    const first = await look();
    // A probe is over by the second look; a task is not.
    return first === 0 ? 0 : await look();
  } catch {
    return 0;
  }
}
