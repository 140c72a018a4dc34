import { setTimeout as sleep } from "node:timers/promises";
import { type BrokerFault, playBrokerFault } from "./broker-fault-player.ts";
import { outagesOf } from "./happened.ts";
import type { ModelProcess } from "./model-process.ts";
import type { OurProcess } from "./our-process.ts";
import type { Fault, Step } from "./plan.ts";
import type { Recorder } from "./recorder.ts";
import type { StageBroker, StageService } from "./stage.ts";
import type { TcpLink } from "./tcp-link.ts";

export interface FaultPlayerOptions {
  readonly processes: readonly OurProcess[];
  readonly models: readonly ModelProcess[];
  readonly services: readonly StageService[];
  /** Those services that no process needs. */
  readonly brokers: readonly StageBroker[];
  readonly links: readonly TcpLink[];
  readonly recorder: Recorder;
}

/** How long a model server is given to have something to answer. */
const ANSWER_PATIENCE_MS = 3_000;
/** A process that is starting may learn so late that what it asked was never answered. */
const AFTERMATH_MS = 20_000;

/** Does what the plan says. Each fault runs by itself; one that finds its target taken waits for it. */
export class FaultPlayer {
  readonly #options: FaultPlayerOptions;
  readonly #links: ReadonlyMap<string, TcpLink>;
  readonly #away = new Set<string>();
  #backAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: FaultPlayerOptions) {
    this.#options = options;
    this.#links = new Map(options.links.map((link) => [link.name, link]));
  }

  /** Whether something that our processes need to start is away or bad, or was a moment ago. */
  get wasAnythingAway(): boolean {
    return (
      [...this.#away].some((name) => this.#isNeeded(name)) ||
      performance.now() - this.#backAtMs < AFTERMATH_MS
    );
  }

  async play(plan: readonly Step[]): Promise<void> {
    const startedMs = performance.now();
    const faults = plan.map(async ({ atMs, fault }) => {
      await sleep(Math.max(0, startedMs + atMs - performance.now()));
      await this.#do(fault);
    });
    await Promise.all(faults);
  }

  async #do(fault: Fault): Promise<void> {
    const { recorder } = this.#options;
    const { kind, ...about } = fault;
    const tell = (by?: string): void => {
      recorder.add({ kind: "fault", fault: kind, by, inAttempt: true });
      recorder.say(`${kind} ${Object.values(about).join(" ")}`);
    };
    switch (fault.kind) {
      case "kill": {
        const process = await this.#free(this.#options.processes, fault.target);
        tell(process.by);
        if (await process.kill(fault.downMs)) recorder.count("kills");
        if (fault.againMs === undefined) return;
        await sleep(fault.againMs);
        if (process.isFree && (await process.kill(fault.downMs))) recorder.count("kills in recovery");
        return;
      }
      case "pause": {
        const process = await this.#free(this.#options.processes, fault.target);
        tell(process.by);
        if (await process.pause(fault.forMs)) recorder.count("pauses");
        return;
      }
      case "outage":
        tell();
        return this.#takeAway(fault.service, fault.how, fault.forMs);
      case "model-kill": {
        const model = await this.#free(this.#options.models, fault.model);
        tell();
        await model.kill(fault.downMs);
        recorder.count("model kills");
        return;
      }
      case "model-dies-answering": {
        const model = await this.#free(this.#options.models, fault.model);
        tell();
        const hasDied = await model.dieAnswering(fault.downMs, ANSWER_PATIENCE_MS);
        recorder.count(hasDied ? "models that died answering" : "model kills");
        return;
      }
      case "cut":
      case "delay":
      case "throttle":
      case "stall":
        tell();
        return this.#spoil(fault);
      default:
        return this.#breakBroker(fault, tell);
    }
  }

  async #spoil(fault: Extract<Fault, { readonly link: string }>): Promise<void> {
    const link = this.#links.get(fault.link);
    if (link === undefined) throw new Error(`there is no link ${fault.link}`);
    const { recorder } = this.#options;
    if (fault.kind === "cut") {
      recorder.count(link.openConnections > 0 ? "cuts" : "cuts of nothing");
      link.cut();
      return;
    }
    recorder.count(`${fault.kind}s`);
    this.#away.add(link.name);
    if (fault.kind === "delay") link.change({ delayMs: fault.ms });
    else if (fault.kind === "throttle") link.change({ bytesPerSecond: fault.bytesPerSecond });
    else link.change({ isStalled: true });
    await sleep(fault.forMs);
    if (fault.kind === "delay") link.change({ delayMs: 0 });
    else if (fault.kind === "throttle") link.change({ bytesPerSecond: undefined });
    else link.change({ isStalled: false });
    this.#isBack(link.name);
  }

  async #takeAway(name: string, how: "stop" | "kill" | "freeze", forMs: number): Promise<void> {
    const service = this.#options.services.find((each) => each.name === name);
    if (service === undefined) throw new Error(`there is no service ${name}`);
    const { links, control } = service;
    await this.#take(name);
    if (how === "freeze") {
      if (control === undefined) for (const link of links) link.change({ isStalled: true });
      else await control.pause();
      await sleep(forMs);
      if (control === undefined) for (const link of links) link.change({ isStalled: false });
      else await control.resume();
    } else {
      await (how === "stop" ? control?.stop() : control?.kill());
      for (const link of links) link.refuse();
      await sleep(forMs);
      await control?.restart();
      await Promise.all(links.map((link) => link.open()));
    }
    this.#options.recorder.count(outagesOf(service.name));
    this.#isBack(name);
  }

  async #breakBroker(fault: BrokerFault, tell: () => void): Promise<void> {
    const broker = this.#options.brokers.find(({ name }) => name === fault.broker);
    if (broker === undefined) throw new Error(`there is no broker ${fault.broker}`);
    await this.#take(broker.name);
    tell();
    await playBrokerFault(fault, broker, this.#options.recorder);
    this.#isBack(broker.name);
  }

  /** One thing at a time befalls a service as a whole. */
  async #take(name: string): Promise<void> {
    while (this.#away.has(name)) await sleep(100);
    this.#away.add(name);
  }

  #isBack(name: string): void {
    this.#away.delete(name);
    if (this.#isNeeded(name)) this.#backAtMs = performance.now();
  }

  /** A broker that is away, or a link to it that is bad, excuses no process that does not start. */
  #isNeeded(name: string): boolean {
    return !this.#options.brokers.some(
      (broker) => name === broker.name || name.startsWith(`${broker.name}:`),
    );
  }

  async #free<T extends { readonly name: string; readonly isFree: boolean }>(
    all: readonly T[],
    name: string,
  ): Promise<T> {
    const found = all.find((each) => each.name === name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    while (!found.isFree) await sleep(50);
    return found;
  }
}
