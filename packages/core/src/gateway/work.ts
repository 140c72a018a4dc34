import type { FailingLane, Settlement } from "../contracts/ledger.ts";
import type { TaskRecord } from "../contracts/task.ts";
import type { ResolvedDeployments } from "../deployments/options.ts";
import type { ModelStatus } from "../gateway-api.ts";
import { ObjectSweeper } from "../reconciler/object-sweeper.ts";
import { createReconciler, type Reconciler } from "../reconciler/reconciler.ts";
import { ServerDirectory } from "../routing/server-directory.ts";
import type { Attempt } from "../tasks/attempt.ts";
import { Runner } from "../tasks/runner.ts";
import type { RunnerOptions } from "../tasks/runner-options.ts";
import { isTerminal, settle } from "../tasks/task-state.ts";
import { DeploymentWork } from "./deployment-work.ts";
import { DirectWork } from "./direct/direct-work.ts";
import type { SafeEmitter } from "./emitter.ts";
import type { EndingWatch } from "./ending-watch.ts";
import type { ResolvedOptions } from "./options.ts";

/** Hints to other processes are collected for so long, so that a burst is one message. */
const HINT_MS = 5;
/** The same for slots that direct requests free. */
const POKE_MS = 10;

/**
 * What goes on by itself while a gateway is started: the servers, the runner, the reconciler, the hints between
 * processes. Start and stop may be called at any time, together or again.
 */
export class GatewayWork {
  readonly directory: ServerDirectory;
  readonly deployments: DeploymentWork | undefined;
  readonly direct: DirectWork;
  readonly #options: ResolvedOptions;
  readonly #emitter: SafeEmitter;
  readonly #endings: EndingWatch;
  readonly #runner: Runner | undefined;
  readonly #reconciler: Reconciler;
  readonly #sweeper: ObjectSweeper | undefined;
  /** Lanes whose waiting tasks end because their server could not be started. */
  readonly #failing: FailingLane[] = [];
  readonly #hints = { work: new Set<string>(), ended: new Set<string>() };
  #cancelHints: (() => void) | undefined;
  #cancelPoke: (() => void) | undefined;
  #unsubscribe: (() => void)[] = [];
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  isStarted = false;

  constructor(options: ResolvedOptions, emitter: SafeEmitter, endings: EndingWatch) {
    this.#options = options;
    this.#emitter = emitter;
    this.#endings = endings;
    const { clock, protocols, discoveries, defaultLimit, modelMemoryMs } = options;
    const speaks = new Map(protocols.map((protocol) => [protocol.name, protocol]));
    this.directory = new ServerDirectory({
      clock,
      discoveries,
      defaultLimit,
      modelMemoryMs,
      speaks: (name) => speaks.has(name),
      isWithheld: (id) => this.deployments?.isWithheld(id) === true,
      onChange: ({ id, models }, state) => {
        emitter.emit("server:changed", { server: id, state, models });
        this.#runner?.poke();
        this.deployments?.serverChanged();
        this.direct.serversChanged();
      },
    });
    this.deployments = options.deployments && this.#makeDeployments(options.deployments);
    this.#runner = options.runs ? this.#makeRunner((name) => speaks.get(name)) : undefined;
    this.direct = new DirectWork(options, {
      directory: this.directory,
      emitter,
      deployments: () => this.deployments,
      onRoom: options.runs ? (atOnce) => this.#pokeSoon(atOnce) : undefined,
    });
    this.#reconciler = this.#makeReconciler();
    this.#sweeper = this.#makeSweeper();
  }

  get isStopping(): boolean {
    return this.#stopping !== undefined;
  }

  start(): Promise<void> {
    if (this.#stopping !== undefined) return this.#stopping;
    // No timer keeps a process alive that waits here for its first look at the servers.
    const letGo = this.#starting === undefined ? this.#options.clock.hold?.() : undefined;
    this.#starting ??= this.#start()
      .catch((error: unknown) => {
        // A start that failed may be tried again.
        this.#starting = undefined;
        this.directory.stop();
        throw error;
      })
      .finally(letGo);
    return this.#starting;
  }

  async #start(): Promise<void> {
    const { wakeups } = this.#options;
    await this.directory.start();
    // Before anything is granted: a server may be draining.
    await this.deployments?.start();
    if (this.isStopping) return this.directory.stop();
    if (wakeups !== undefined) {
      this.#unsubscribe = [
        wakeups.subscribe("work", (models) => {
          this.#runner?.announced(models);
          this.#runner?.poke();
        }),
        wakeups.subscribe("ended", (ids) => this.#endings.hint(ids)),
      ];
    }
    if (this.#options.sweeps) this.#reconciler.start();
    this.#sweeper?.start();
    this.#runner?.start();
    this.isStarted = true;
  }

  stop(drainMs: number): Promise<void> {
    this.#stopping ??= this.#stop(drainMs);
    return this.#stopping;
  }

  async #stop(drainMs: number): Promise<void> {
    await this.#starting?.catch(() => {});
    await Promise.all([this.#runner?.stop(drainMs), this.direct.stop(drainMs)]);
    await this.deployments?.stop();
    await Promise.all([this.#reconciler.stop(), this.#sweeper?.stop()]);
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#cancelHints?.();
    this.#cancelPoke?.();
    this.directory.stop();
    this.#endings.close();
    this.isStarted = false;
    for (const made of [...this.#options.owned].reverse()) await made.close();
  }

  poke(): void {
    this.#runner?.poke();
  }

  /** Direct requests end far more often than it is worth asking the ledger. */
  #pokeSoon(atOnce: boolean): void {
    if (atOnce) this.poke();
    else
      this.#cancelPoke ??= this.#options.clock.after(POKE_MS, () => {
        this.#cancelPoke = undefined;
        this.poke();
      });
  }

  /** Models for which something new waits. */
  announce(models: Iterable<string>): void {
    this.#runner?.announced(models);
    this.#hint("work", models);
  }

  /** The holder is this process, or hears of it by its next exchange. */
  cancel(id: string): void {
    this.#runner?.cancel(id);
  }

  /** Tasks that were seen ending by this process. */
  ended(tasks: readonly TaskRecord[]): void {
    for (const { id, model, operation, state, attempt, error } of tasks) {
      if (isTerminal(state))
        this.#emitter.emit("task:ended", { id, model, operation, state, attempt, code: error?.code });
    }
    this.#tellEnded(tasks.map((task) => task.id));
  }

  models(): readonly ModelStatus[] {
    const nowMs = this.#options.clock.monotonic();
    const known = this.directory.models();
    for (const model of this.deployments?.onDemand() ?? []) if (!known.has(model)) known.set(model, []);
    return [...known].map(([name, servers]) => ({
      name,
      isRunning: this.directory.hasReady(name),
      servers: servers.map(({ server: { id, state, protocol, details }, slots, inFlight, health }) => {
        return {
          id,
          state,
          protocol,
          limit: slots.value,
          inFlight,
          isPaused: health.isPaused(nowMs),
          details,
        };
      }),
    }));
  }

  #makeRunner(protocol: RunnerOptions["protocol"]): Runner {
    const { ledger, objects, clock, random, checkpoint, name, leaseMs, pollMs, inlineBytes } = this.#options;
    const { maxConcurrentTasks } = this.#options;
    const incarnation = this.#options.newId();
    return new Runner({
      ...{ ledger, objects, clock, random, checkpoint, leaseMs, pollMs, inlineBytes },
      ...{ maxConcurrentTasks, protocol },
      // Never a name that was used before: a request of a process that died, arriving late, must not pass for a newer
      // incarnation of one that lives.
      name: `${name}-${incarnation}`,
      directory: this.directory,
      incarnation,
      events: {
        started: (attempt) => {
          this.deployments?.used(attempt.task.model);
          this.#emitter.emit("task:started", eventOf(attempt));
        },
        running: (attempt, runId) => this.#emitter.emit("task:running", { ...eventOf(attempt), runId }),
        settled: (attempt, item, endedAtMs) => this.#settled(attempt, item, endedAtMs),
        ejected: (server, forMs) => this.#emitter.emit("server:ejected", { server, forMs }),
        slotFreed: (server) => this.direct.taskEnded(server),
        failed: (operation, error) => this.#emitter.failed("ledger", operation, error),
      },
    });
  }

  #makeReconciler(): Reconciler {
    const { ledger, objects, clock, checkpoint, random, noServerMs, retention } = this.#options;
    return createReconciler({
      ...{ ledger, objects, clock, checkpoint, random, retention },
      noServerMs: noServerMs === false ? Number.POSITIVE_INFINITY : noServerMs,
      hasServer: (model) => this.directory.hasListed(model) || this.deployments?.expects(model) === true,
      failing: () => this.#failing,
      onEnded: (tasks) => this.ended(tasks),
      onReturned: (tasks) => {
        this.poke();
        this.announce(new Set(tasks.map((task) => task.model)));
      },
      onError: (operation, error) => this.#emitter.failed("ledger", operation, error),
    });
  }

  #makeDeployments(deployments: ResolvedDeployments): DeploymentWork {
    return new DeploymentWork(deployments, this.#options, {
      directory: this.directory,
      emitter: this.#emitter,
      runner: () => this.#runner,
      onWithheld: () => this.direct.serversChanged(),
      failLane: async (model, error) => {
        const lane = { model, error };
        this.#failing.push(lane);
        try {
          // The round under way may have begun before.
          await this.#reconciler.runOnce();
          await this.#reconciler.runOnce();
        } finally {
          this.#failing.splice(this.#failing.indexOf(lane), 1);
        }
      },
    });
  }

  #makeSweeper(): ObjectSweeper | undefined {
    const { ledger, objects, clock, random, objectSweepMs: intervalMs } = this.#options;
    if (intervalMs === false) return undefined;
    return new ObjectSweeper({
      ...{ ledger, objects, clock, random, intervalMs },
      onSwept: ({ examined, deleted }) => this.#emitter.emit("objects:swept", { examined, deleted }),
      onError: (error) => this.#emitter.failed("objects", "sweep", error),
    });
  }

  #settled(attempt: Attempt, item: Settlement, endedAtMs: number | undefined): void {
    const event = eventOf(attempt);
    switch (item.kind) {
      case "succeeded":
      case "failed":
      case "cancelled": {
        const code = item.kind === "failed" ? item.error.code : undefined;
        this.#emitter.emit("task:ended", { ...event, state: item.kind, code });
        if (endedAtMs === undefined) this.#tellEnded([attempt.id]);
        else this.#tellEnding(attempt, item, endedAtMs);
        return;
      }
      case "returned": {
        this.#emitter.emit("task:returned", { ...event, counts: item.counts, code: item.error?.code });
        if (!item.counts) return;
        // Handing back for the last time ends the task; whoever waits for it looks.
        const after = settle(attempt.task, item, endedAtMs ?? this.#options.clock.now()).changed;
        if (after !== undefined && isTerminal(after.state))
          this.#emitter.emit("task:ended", { ...event, state: after.state, code: after.error?.code });
        this.#tellEnded([attempt.id]);
        return;
      }
      default:
        return;
    }
  }

  /** What the ledger has just written follows from what it granted: nobody has to read it again. */
  #tellEnding(attempt: Attempt, item: Settlement, endedAtMs: number): void {
    const { inline: _, ...payload } = attempt.task.payload;
    const ended = settle({ ...attempt.task, payload }, item, endedAtMs).changed;
    if (ended !== undefined) this.#endings.ended(ended);
    this.#hint("ended", [attempt.id]);
  }

  #tellEnded(ids: readonly string[]): void {
    this.#endings.hint(ids);
    this.#hint("ended", ids);
  }

  #hint(topic: "work" | "ended", names: Iterable<string>): void {
    const { wakeups, clock } = this.#options;
    if (wakeups === undefined) return;
    for (const name of names) this.#hints[topic].add(name);
    this.#cancelHints ??= clock.after(HINT_MS, () => {
      this.#cancelHints = undefined;
      for (const each of ["work", "ended"] as const) {
        const collected = [...this.#hints[each]];
        this.#hints[each].clear();
        if (collected.length === 0) continue;
        wakeups
          .publish(each, collected)
          .catch((error: unknown) => this.#emitter.failed("wakeups", "publish", error));
      }
    });
  }
}

function eventOf(attempt: Attempt): {
  id: string;
  model: string;
  operation: string;
  attempt: number;
  server: string;
} {
  const { id, model, operation } = attempt.task;
  return { id, model, operation, attempt: attempt.number, server: attempt.grant.server };
}
