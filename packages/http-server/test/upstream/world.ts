import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";
import {
  createNlpServer,
  type NlpServer,
  type NlpServerOptions,
} from "../../../../examples/nlp-server/src/server.ts";
import { type EnginePart, openEnginePart } from "../command/docker-engine.ts";
import { openRelay } from "../command/relay.ts";
import type { TestStore } from "../command/test-stores.ts";
import { call } from "../support/http-client.ts";
import { type RunningCommand, runCommand } from "../support/run-command.ts";

export const ADMIN_KEY = "the-key-of-these-tests";

/** The example's servers: one that annotates, and one that may be trained, so that only its answers change. */
export interface NlpServers {
  readonly notes: string;
  readonly pupil: string;
  close(): Promise<void>;
}

export async function startNlpServers(options: NlpServerOptions = {}): Promise<NlpServers> {
  const servers: NlpServer[] = ["notes", "pupil"].map((modelName) =>
    createNlpServer({ modelName, drainMs: 200, ...options }),
  );
  const [notes = "", pupil = ""] = (await Promise.all(servers.map((server) => server.listen()))).map(
    ({ url }) => url,
  );
  return {
    notes,
    pupil,
    close: async () => void (await Promise.all(servers.map((server) => server.close()))),
  };
}

/** A server that is ready, and answers nothing else. */
export async function startSilentServer(): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    if (request.url === "/readyz") response.end("silent");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface WorldOptions {
  /** The command. */
  readonly file: string;
  readonly store: TestStore;
  readonly servers: Readonly<Record<string, string>>;
  /** An engine that deploys, and its image of a model server. */
  readonly engine?: { readonly socket: string; readonly image: string } | undefined;
  readonly deployments?: Readonly<Record<string, unknown>>;
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** `modelgate serve` in a process and a directory of its own. */
export interface World {
  readonly url: string;
  readonly part: EnginePart | undefined;
  /** What it wrote. */
  output(): string;
  /** Takes away where the tasks, or the objects, are. */
  takeStoreAway(): Promise<void>;
  close(): Promise<void>;
}

export async function openWorld(options: WorldOptions): Promise<World> {
  const { file, store, servers, engine, deployments, settings } = options;
  const folder = await mkdtemp(join(tmpdir(), "modelgate-upstream-"));
  const dataDir = join(folder, "data");
  await mkdir(dataDir);
  const part = engine === undefined ? undefined : openEnginePart(engine.socket, engine.image);
  const { stored, takeAway } = await breakable(store, dataDir);
  const config = join(folder, "modelgate.json");
  const content = {
    ...{ dataDir, adminKey: ADMIN_KEY, port: 0, pollMs: 50, infoTimeoutMs: 300, servers, ...stored },
    ...(part !== undefined && {
      ...part.settings,
      deployments: {
        ...{ enabled: true, attempts: 1, retryMs: 100, drainMs: 1_000, stopGraceMs: 1_000 },
        ...deployments,
      },
    }),
    ...settings,
  };
  await writeFile(config, JSON.stringify(content));
  const running: RunningCommand = runCommand(file, ["serve", "--config", config], { cwd: folder });
  const url = await running.listening();
  const wanted = Object.keys(servers).length;
  await vi.waitFor(
    async () => {
      const { length } = (await call(url, "/models/")).json.running;
      if (length < wanted) throw new Error(`${length} of ${wanted} models are known`);
    },
    { timeout: 15_000, interval: 30 },
  );
  return {
    url,
    part,
    output: () => running.stdout() + running.stderr(),
    takeStoreAway: takeAway,
    async close() {
      running.child.kill("SIGKILL");
      await running.ended;
      await part?.close();
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface Breakable {
  readonly stored: Readonly<Record<string, unknown>>;
  readonly takeAway: () => Promise<void>;
}

/** Where tasks are in PostgreSQL, there is something before it that can be cut; files can be made unusable. */
async function breakable({ settings }: TestStore, dataDir: string): Promise<Breakable> {
  const { postgres } = settings as { readonly postgres?: { readonly url: string } };
  if (postgres === undefined) {
    // A directory that leads out of the store is none of its own, and nothing below it is read.
    const takeAway = (): Promise<void> => symlink("/nowhere", join(dataDir, "objects", "objects", "health"));
    return { stored: settings, takeAway };
  }
  const relay = await openRelay(postgres.url);
  await relay.up();
  const stored = { ...settings, postgres: { ...postgres, url: relay.address(postgres.url) } };
  return { stored, takeAway: () => relay.down() };
}
