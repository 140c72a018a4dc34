import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../support/free-port.ts";
import type { CallRecord } from "./assemble-history.ts";
import { CallWatcher } from "./call-watcher.ts";
import type { Door } from "./clients.ts";
import { ModelProcess } from "./model-process.ts";
import type { ServerNote } from "./model-server.ts";
import { OurProcess } from "./our-process.ts";
import type { Recorder } from "./recorder.ts";
import type { Stage } from "./stage.ts";
import { TcpLink } from "./tcp-link.ts";

type Role = "serve" | "gateway" | "scheduler" | "reaper";

export interface CrewMember {
  readonly name: string;
  readonly role: Role;
}

export interface CrewOptions {
  readonly members: readonly CrewMember[];
  readonly models: readonly string[];
  readonly command: string;
  /** The bundled model server. */
  readonly modelProgram: string;
  readonly folder: string;
  readonly leaseMs: number;
  /** What each model server does at once; without it, as much as it bears, up to `SLOTS`. */
  readonly limit?: number | undefined;
  readonly stage: Stage;
  readonly recorder: Recorder;
  readonly mayFailToStart: () => boolean;
}

/** The name of the model that all servers serve. */
export const MODEL = "nlp";
/** The most slots that a server without a limit is ever given; each begins with them, so that a burst comes up against the limit. */
const SLOTS = 64;
/** Counted failures after which a task may fail. There are more faults than in a year, so it is more than usual. */
export const MAX_FAILURES = 20;
/** Calls at once until a model server says that it is busy; the last one does so before its slots are used up. */
const CAPACITY = 10 * SLOTS;
const SMALL_CAPACITY = SLOTS / 2;
const START_LIMIT_MS = 60_000;

/** What a process of each kind says once it is ready. */
const READY_TEXTS: Readonly<Record<Role, string>> = {
  serve: "is listening on",
  gateway: "is listening on",
  scheduler: "is at work",
  reaper: "is at work",
};

/** All processes of a run but the services. */
export interface Crew {
  readonly processes: readonly OurProcess[];
  readonly models: readonly ModelProcess[];
  /** Between our processes and each model server. */
  readonly modelLinks: readonly TcpLink[];
  /** Ids of the model servers, as the gateways know them. */
  readonly serverIds: readonly string[];
  /** The most slots that any of them is ever given. */
  readonly slots: number;
  /** When connections to each of them were broken off. */
  readonly breaks: ReadonlyMap<string, readonly number[]>;
  readonly doors: readonly Door[];
  /** Every call of a model server that passed by so far. */
  readonly calls: readonly CallRecord[];
  /** What each model server has written down. */
  readNotes(): Promise<ReadonlyMap<string, readonly ServerNote[]>>;
  ready(): Promise<void>;
  /** Ends all of them as an operator would. */
  stop(): Promise<void>;
  destroy(): void;
}

export async function startCrew(options: CrewOptions): Promise<Crew> {
  const { folder, recorder, stage, members } = options;
  const calls: CallRecord[] = [];
  const crewModels: ModelProcess[] = [];
  const modelLinks: TcpLink[] = [];
  const notes = new Map<string, string>();
  for (const [at, name] of options.models.entries()) {
    const port = await freePort();
    const link: TcpLink = new TcpLink({
      name: `model:${name}`,
      target: { host: "127.0.0.1", port },
      watch: () => watchCalls(calls, `127.0.0.1:${link.port}`, () => model.instance),
    });
    await link.open();
    const serverId = `127.0.0.1:${link.port}`;
    const file = join(folder, `${name}.notes`);
    notes.set(serverId, file);
    const capacity = at > 0 && at === options.models.length - 1 ? SMALL_CAPACITY : CAPACITY;
    const program = options.modelProgram;
    const model = new ModelProcess({ name, program, port, notes: file, capacity, recorder, link, serverId });
    modelLinks.push(link);
    crewModels.push(model);
  }
  await Promise.all(crewModels.map((model) => model.start()));

  const doors: Door[] = [];
  const processes: OurProcess[] = [];
  for (const { name, role } of members) {
    const port = await freePort();
    const process = new OurProcess({
      name,
      command: options.command,
      launch: (by) => ({
        args: [role],
        env: {
          ...environment(options, by, modelLinks),
          ...(role === "serve" || role === "gateway" ? { MODELGATE_PORT: String(port) } : {}),
          ...stage.env(name),
        },
      }),
      readyText: READY_TEXTS[role],
      logFile: join(folder, `${name}.log`),
      recorder,
      mayFailToStart: options.mayFailToStart,
    });
    processes.push(process);
    if (role === "serve" || role === "gateway") doors.push(new ProcessDoor(process, port));
    process.start();
  }
  const ready = async (): Promise<void> => {
    await Promise.all(processes.map((process) => process.ready(START_LIMIT_MS)));
  };
  return {
    ...{ processes, models: crewModels, modelLinks, doors, calls, ready },
    serverIds: [...notes.keys()],
    slots: options.limit ?? SLOTS,
    breaks: new Map(modelLinks.map((link) => [`127.0.0.1:${link.port}`, link.breaks])),
    async readNotes() {
      const read = Array.from(notes, async ([server, file]) => {
        const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
        return [server, lines.map((line) => JSON.parse(line) as ServerNote)] as const;
      });
      return new Map(await Promise.all(read));
    },
    async stop() {
      await Promise.all(processes.map((process) => process.stop()));
      await Promise.all(crewModels.map((model) => model.stop()));
    },
    destroy() {
      for (const process of processes) process.destroy();
      for (const model of crewModels) model.destroy();
      for (const link of modelLinks) link.close();
    },
  };
}

class ProcessDoor implements Door {
  readonly url: string;
  readonly #process: OurProcess;

  constructor(process: OurProcess, port: number) {
    this.#process = process;
    this.url = `http://127.0.0.1:${port}`;
  }

  get by(): string {
    return this.#process.by;
  }

  get isUp(): boolean {
    return this.#process.isUp;
  }
}

/** Each start tells model servers its name by credentials; they are no part of a server's id, so all mean the same one. */
function environment(
  { leaseMs, limit }: CrewOptions,
  by: string,
  links: readonly TcpLink[],
): Readonly<Record<string, string>> {
  const limited = limit === undefined ? "" : `#limit=${limit}`;
  return {
    MODELGATE_NAME: by,
    MODELGATE_SERVERS: links
      .map(({ port }) => `${MODEL}=http://${by}:chaos@127.0.0.1:${port}${limited}`)
      .join(" "),
    MODELGATE_LEASE_MS: String(leaseMs),
    MODELGATE_DEFAULT_LIMIT: String(SLOTS),
    MODELGATE_MAX_FAILURES: String(MAX_FAILURES),
    MODELGATE_LOG_LEVEL: "info",
  };
}

const WORK = ["/process", "/redact", "/train_supervised", "/evaluate"];

function watchCalls(calls: CallRecord[], server: string, instance: () => string): CallWatcher {
  const open = new Map<number, CallRecord>();
  return new CallWatcher({
    begun({ call, path, query, by }) {
      if (!WORK.includes(path)) return;
      const nonce = query.get("chaos") ?? "none";
      const record = { call, nonce, by, server, instance: instance(), sentAtMs: Date.now() };
      calls.push(record);
      open.set(call, record);
    },
    ended({ call }, ending) {
      const record = open.get(call);
      if (record !== undefined) record.ended = { atMs: Date.now(), ending };
      open.delete(call);
    },
  });
}
