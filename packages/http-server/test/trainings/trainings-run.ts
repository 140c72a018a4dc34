import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { randomOf } from "../support/random.ts";
import { send } from "../support/send.ts";
import { GatewayProcess } from "./gateway.ts";
import { readJournal } from "./journal.ts";
import { accountsOf, isUnknown, judgeTrainings, type Training } from "./judge-trainings.ts";
import { ModelServer } from "./model-server.ts";
import { ROUNDS, type Round } from "./rounds.ts";
import { hasEnded, KINDS, readDocument, readTask, submitTraining, trainingOf } from "./submit-training.ts";

export interface TrainingsRunOptions {
  /** The built command, and the example server's program. */
  readonly command: string;
  readonly server: string;
  readonly mlflowUrl: string;
  /** Settings of the store that both gateways share. */
  readonly store: Readonly<Record<string, unknown>>;
  /** How many trainings there are at least, over all rounds. */
  readonly trainings: number;
  readonly seed: number;
  /** Whether something before the servers says which process answers; otherwise restarts are noticed later. */
  readonly areServersMarked: boolean;
  readonly log?: (line: string) => void;
}

export interface TrainingsReport {
  readonly trainings: readonly Training[];
  readonly violations: readonly string[];
  /** The same after one training was begun a second time, besides the gateways. */
  readonly planted: readonly string[];
  /** Rows by what went wrong. */
  readonly table: string;
}

const SERVERS = 3;
const RUN_MS = 500;
/** A few 202s are lost in every round. */
const ALWAYS = "lose-accept:share=0.15";
const ROUND_LIMIT_MS = 150_000;
const DRAIN_LIMIT_MS = 150_000;

/** Two gateways, some servers and a tracker, over rounds in each of which something else goes wrong. */
export class TrainingsRun {
  readonly #options: TrainingsRunOptions;
  readonly #folder: string;
  readonly #random: () => number;
  readonly #trainings: Training[] = [];
  readonly #strangers = new Set<string>();
  #servers: readonly ModelServer[] = [];
  #gateways: readonly GatewayProcess[] = [];

  private constructor(options: TrainingsRunOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
    this.#random = randomOf(options.seed);
  }

  static async play(options: TrainingsRunOptions): Promise<TrainingsReport> {
    const run = new TrainingsRun(options, await mkdtemp(join(tmpdir(), "modelgate-trainings-run-")));
    try {
      await run.#open();
      const each = Math.ceil(options.trainings / ROUNDS.length);
      for (const round of ROUNDS) await run.#playRound(round, each);
      await run.#drain();
      return await run.#conclude();
    } finally {
      await run.#close();
    }
  }

  get #journal(): string {
    return join(this.#folder, "journal");
  }

  async #open(): Promise<void> {
    const { command, server: file, mlflowUrl, store, areServersMarked: isMarked } = this.#options;
    const shared = { file, journal: this.#journal, mlflowUrl, runMs: RUN_MS, isMarked };
    // Servers of one model need hosts of their own to be told apart in MLflow; these share one.
    const start = (_: unknown, at: number): Promise<ModelServer> =>
      ModelServer.start({ ...shared, model: `pupil${at}-${process.pid}` });
    this.#servers = await Promise.all(Array.from({ length: SERVERS }, start));
    const servers = Object.fromEntries(this.#servers.map(({ model, url }) => [model, url]));
    const settings = { ...store, mlflow: { url: mlflowUrl } };
    // The first of them makes the tables.
    for (const _ of [1, 2])
      this.#gateways = [...this.#gateways, await GatewayProcess.start({ command, servers, settings })];
    await Promise.all(this.#gateways.map((gateway) => gateway.knowsModels()));
  }

  async #playRound(round: Round, count: number): Promise<void> {
    const begunMs = performance.now();
    const isLosing = round.behaviours.some((each) => each.startsWith("lose-accept"));
    const behaviours = isLosing ? round.behaviours : [ALWAYS, ...round.behaviours];
    await Promise.all(this.#servers.map((server) => server.misbehave(behaviours)));
    const mine = await Promise.all(Array.from({ length: count }, (_, at) => this.#submit(round, at)));
    if (round.hasStranger) await this.#beginStranger(mine);
    if (round.cancels) await this.#cancel(mine);
    if (round.kills !== undefined) await this.#kill(round.kills, mine);
    await this.#settle(round, mine);
    this.#options.log?.(`${round.name}: ${Math.round(performance.now() - begunMs)} ms`);
  }

  /** One of the gateways takes it; the other, when the first was killed, knows by the key that it is the same. */
  async #submit(round: Round, at: number): Promise<Training> {
    // They share a host, so that what one round left undecided would be mixed up with the next round's on another server.
    const { model } = this.#servers[at % SERVERS] as ModelServer;
    const kind = round.kind ?? KINDS[Math.floor(this.#random() * KINDS.length)] ?? "evaluate";
    const key = `${round.name}-${at}`.replaceAll(/[^\w-]/g, "");
    const id = await this.#ask((url) => submitTraining(url, { model, kind, key }));
    const training: Training = {
      ...{ id, round: round.name, isCancelled: false },
      ...{ state: "pending", trackingId: null, error: null },
    };
    this.#trainings.push(training);
    return training;
  }

  /** Asks either gateway, until one answers. */
  async #ask<T>(question: (url: string) => Promise<T>): Promise<T> {
    for (const until = performance.now() + 30_000; ; await sleep(100)) {
      const gateway = this.#gateways[Math.floor(this.#random() * this.#gateways.length)];
      try {
        return await question(gateway?.url ?? "");
      } catch (error) {
        if (performance.now() > until) throw error;
      }
    }
  }

  async #beginStranger(mine: readonly Training[]): Promise<void> {
    await this.#until(() => this.#atWork(mine).length > 0, 20_000);
    const id = `stranger-${this.#strangers.size}-${process.pid}`;
    this.#strangers.add(id);
    const { pid } = this.#atWork(mine)[0] ?? { pid: 0 };
    const server = this.#servers.find((each) => each.pid === pid);
    if (server === undefined) return;
    const { headers, body } = trainingOf("train_supervised");
    const url = `${server.url}/train_supervised?tracking_id=${id}`;
    await send(url, { method: "POST", headers, body }).catch(() => {});
  }

  async #cancel(mine: readonly Training[]): Promise<void> {
    await this.#until(() => this.#atWork(mine).length > 0, 20_000);
    for (const training of mine) {
      training.isCancelled = true;
      await this.#ask((url) => send(`${url}/tasks/${training.id}`, { method: "DELETE" }));
    }
  }

  async #kill(what: "server" | "gateways", mine: readonly Training[]): Promise<void> {
    await this.#until(() => this.#atWork(mine).length > 0, 20_000);
    if (what === "server") {
      // A process that is replaced within 2 seconds of a beginning that no gateway has seen leaves nothing to tell by.
      await this.#untilSeen(mine);
      const { pid } = this.#atWork(mine)[0] ?? { pid: 0 };
      const server = this.#servers.find((each) => each.pid === pid);
      await server?.kill();
      await server?.start();
      return;
    }
    for (const gateway of this.#gateways) {
      await gateway.kill();
      await sleep(this.#random() * 200);
    }
    await Promise.all(this.#gateways.map((gateway) => gateway.start()));
  }

  /** Waits until the gateways know what the servers began, unless it is over before. */
  async #untilSeen(mine: readonly Training[]): Promise<void> {
    for (const until = performance.now() + 20_000; performance.now() < until; await sleep(20)) {
      if (this.#atWork(mine).length === 0) return;
      const seen = await Promise.all(mine.map(({ id }) => this.#ask((url) => readTask(url, id))));
      if (seen.some(({ status }) => status === "running")) return;
    }
  }

  /** What of these has begun, and nobody has ended or killed. */
  #atWork(mine: readonly Training[]): readonly { readonly pid: number }[] {
    const accounts = this.#accounts();
    return mine.flatMap(({ id }) => {
      const account = accounts.get(id);
      const [begun] = account?.begun ?? [];
      return begun === undefined || account?.ended !== undefined || account?.isLost ? [] : [begun];
    });
  }

  /** Whether its server is through with it, so that what goes wrong next is nothing to it. */
  #isSettled({ id, isCancelled }: Training): boolean {
    const account = this.#accounts().get(id);
    return isCancelled || account?.ended !== undefined || account?.isLost === true;
  }

  #accounts() {
    return accountsOf({ journal: readJournal(this.#journal), killed: this.#killed });
  }

  get #killed(): ReadonlySet<number> {
    return new Set(this.#servers.flatMap(({ killed }) => [...killed]));
  }

  /** Whoever waits in vain wants to know what for. */
  async #settle({ name }: Round, mine: readonly Training[]): Promise<void> {
    const unsettled = () => mine.filter((training) => !this.#isSettled(training));
    if (await this.#until(() => unsettled().length === 0, ROUND_LIMIT_MS)) return;
    const ids = unsettled().map(({ id }) => id);
    const seen = await Promise.all(
      ids.map((id) => this.#ask((url) => readTask(url, id)).catch((error: unknown) => String(error))),
    );
    const said = [...this.#gateways, ...this.#servers].map(({ output }) => output.slice(-6_000));
    const journal = JSON.stringify(readJournal(this.#journal).slice(-10), null, 1);
    throw new Error(
      [
        `round ${name}: after ${ROUND_LIMIT_MS} ms these did not settle`,
        JSON.stringify(seen, null, 1),
        journal,
        ...said,
      ].join("\n\n"),
    );
  }

  async #until(isSo: () => boolean, limitMs: number): Promise<boolean> {
    for (const until = performance.now() + limitMs; !isSo(); await sleep(40))
      if (performance.now() > until) return false;
    return true;
  }

  /** Waits until every task has ended, and reads what became of it. */
  async #drain(): Promise<void> {
    for (const until = performance.now() + DRAIN_LIMIT_MS; performance.now() < until; await sleep(200)) {
      for (const training of this.#trainings.filter((each) => !hasEnded({ status: each.state }))) {
        const seen = await this.#ask((url) => readTask(url, training.id));
        training.state = seen.status;
        training.trackingId = seen.tracking_id;
        training.error = seen.error_message;
        if (seen.status !== "succeeded") continue;
        training.documentRunId = (await this.#ask((url) => readDocument(url, training.id)))?.run.run_id;
      }
      if (this.#trainings.every((each) => hasEnded({ status: each.state }))) return;
    }
  }

  async #conclude(): Promise<TrainingsReport> {
    const mayBeUnknown = new Set(ROUNDS.flatMap((round) => (round.mayBeUnknown ? [round.name] : [])));
    const judge = () =>
      judgeTrainings({
        ...{ trainings: this.#trainings, journal: readJournal(this.#journal), killed: this.#killed },
        ...{ strangers: this.#strangers, mayBeUnknown },
      });
    const violations = judge();
    const table = this.#table();
    await this.#plant();
    return { trainings: this.#trainings, violations, planted: judge(), table };
  }

  /** Begins a training that has succeeded once more, as a gateway would that sent it twice. */
  async #plant(): Promise<void> {
    const server = this.#servers.at(-1);
    const victim = this.#trainings.findLast(({ state }) => state === "succeeded");
    if (server === undefined || victim === undefined) return;
    await server.misbehave([]);
    const { headers, body } = trainingOf("evaluate");
    const url = `${server.url}/evaluate?tracking_id=${victim.id}`;
    const { status } = await send(url, { method: "POST", headers, body });
    if (status !== 202) throw new Error(`the planted training was answered with ${status}`);
  }

  #table(): string {
    const accounts = this.#accounts();
    const rows = ROUNDS.map(({ name }) => {
      const mine = this.#trainings.filter((training) => training.round === name);
      const count = (isOne: (training: Training) => boolean): number => mine.filter(isOne).length;
      const counts = [
        mine.length,
        count(({ state }) => state === "succeeded"),
        count((each) => each.state === "failed" && !isUnknown(each)),
        count(isUnknown),
        count(({ state }) => state === "cancelled"),
        count(({ state }) => !hasEnded({ status: state })),
        count(({ id }) => (accounts.get(id)?.begun.length ?? 0) > 1),
      ];
      return [name, ...counts].map(pad).join("");
    });
    const head = ["", "submitted", "succeeded", "failed", "unknown", "cancelled", "not ended", "run twice"];
    return [head.map(pad).join(""), ...rows].join("\n");
  }

  async #close(): Promise<void> {
    const ends = [...this.#gateways.map((each) => each.close()), ...this.#servers.map((each) => each.kill())];
    await Promise.allSettled(ends);
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function pad(cell: string | number, column: number): string {
  return column === 0 ? String(cell).padEnd(22) : String(cell).padStart(11);
}
