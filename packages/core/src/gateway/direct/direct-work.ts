import { sleep } from "../../clock.ts";
import type { Clock } from "../../contracts/clock.ts";
import type { OperationOptions } from "../../contracts/common.ts";
import type {
  PassedAnswer,
  PassedRequest,
  PassOutcome,
  PassThrough,
  ServerProtocol,
  UpgradeOutcome,
} from "../../contracts/server-protocol.ts";
import { GatewayError } from "../../errors.ts";
import type { GatewayEvents } from "../../events.ts";
import type { PassRequest } from "../../gateway-api.ts";
import { type AbortSource, abortOf, LateAbort } from "../../late-abort.ts";
import type { KnownServer, ServerDirectory } from "../../routing/server-directory.ts";
import type { Observation } from "../../tasks/attempt.ts";
import { observeServer } from "../../tasks/observe-server.ts";
import type { DeploymentWork } from "../deployment-work.ts";
import type { SafeEmitter } from "../emitter.ts";
import type { ResolvedOptions } from "../options.ts";
import { checkPassRequest } from "./check-pass-request.ts";
import { DirectSlots, noSlot, type SlotWish } from "./direct-slots.ts";
import { HeldBody } from "./held-body.ts";

/** A deployment that nobody asks for any more is given up; so whoever waits asks again this often. */
const ASK_MS = 2_000;
/** Whoever is told by then that the tasks' turn is over has heard it in time. */
const TURN_MARGIN_MS = 20;
/** Between two tries at servers none of which could be reached. */
const RETRY_MS = 250;
/** Answers without a body, whatever their headers say. */
const WITHOUT_BODY = [204, 205, 304];

type Outcome = Parameters<GatewayEvents["direct:ended"]>[0]["outcome"];
type Upgraded = Extract<UpgradeOutcome, { readonly kind: "upgraded" }>;

export interface DirectWorkHost {
  readonly directory: ServerDirectory;
  readonly emitter: SafeEmitter;
  readonly deployments: () => DeploymentWork | undefined;
  /** Tasks may find room on a server. Absent where this gateway runs none. */
  readonly onRoom?: ((atOnce: boolean) => void) | undefined;
}

/** A request while it has a slot on a server. */
interface Held {
  readonly known: KnownServer;
  readonly end: (outcome: Outcome | "unsent") => void;
}

/** Requests that go straight to servers. See `docs/explanation/pass-through.md`. */
export class DirectWork {
  readonly #options: ResolvedOptions["direct"];
  readonly #clock: Clock;
  readonly #host: DirectWorkHost;
  readonly #protocols: readonly ServerProtocol[];
  readonly #slots: DirectSlots;
  /** What stops each request that is under way, also while it waits. */
  readonly #open = new Set<LateAbort>();
  #isStopping = false;
  #onEmpty: (() => void) | undefined;

  constructor({ clock, random, direct, protocols }: ResolvedOptions, host: DirectWorkHost) {
    this.#options = direct;
    this.#clock = clock;
    this.#host = host;
    this.#protocols = protocols;
    const { directory, onRoom } = host;
    const { share, maxWaiting } = direct;
    this.#slots = new DirectSlots({ directory, clock, random, share, maxWaiting, onRoom });
  }

  async pass(request: PassRequest, options: OperationOptions): Promise<PassedAnswer> {
    const outcome = await this.#run(request, options, false);
    if (outcome.kind === "answered") return outcome.answer;
    throw new GatewayError("ADAPTER_FAILED", "the protocol upgraded what did not ask for it");
  }

  upgrade(
    request: PassRequest,
    options: OperationOptions,
  ): Promise<Upgraded | Extract<PassOutcome, { readonly kind: "answered" }>> {
    return this.#run(request, options, true);
  }

  /** Servers may have come. */
  serversChanged(): void {
    this.#slots.wake();
  }

  /** A task gave back its slot on a server. */
  taskEnded(server: string): void {
    this.#slots.taskEnded(server);
  }

  /** Takes nothing new, refuses what waits, lets what runs finish for `drainMs`, and ends the rest. */
  async stop(drainMs: number): Promise<void> {
    this.#isStopping = true;
    this.#slots.refuseAll(stopping());
    if (this.#open.size > 0 && drainMs > 0) {
      await new Promise<void>((resolve) => {
        const cancel = this.#clock.after(drainMs, resolve);
        this.#onEmpty = () => {
          cancel();
          resolve();
        };
      });
    }
    for (const abort of [...this.#open]) abort.abort(stopping());
  }

  async #run(
    request: PassRequest,
    options: OperationOptions,
    upgrades: boolean,
  ): Promise<Upgraded | Extract<PassOutcome, { readonly kind: "answered" }>> {
    checkPassRequest(request);
    const caller = abortOf(options);
    if (caller?.aborted) throw caller.reason;
    if (this.#isStopping) throw stopping();
    await this.#checkModel(request.model);
    const suits = this.#suitable(request, upgrades);
    const abort = new LateAbort();
    this.#open.add(abort);
    const stopListening = caller?.onAbort(() => abort.abort(caller.reason));
    const close = (): void => {
      stopListening?.();
      this.#open.delete(abort);
      if (this.#open.size === 0) this.#onEmpty?.();
    };
    try {
      // The caller may have gone, or the gateway have begun to stop, while the model was looked up.
      if (caller?.aborted) throw caller.reason;
      if (this.#isStopping) throw stopping();
      return await this.#send(request, suits, upgrades, abort, close);
    } catch (error) {
      close();
      throw error;
    }
  }

  async #checkModel(model: string): Promise<void> {
    const { directory, deployments } = this.#host;
    if (directory.knows(model) || deployments()?.expects(model) === true) return;
    if ((await deployments()?.knows(model)) === true) return;
    throw new GatewayError("MODEL_UNKNOWN", `no server is known for model "${model}"`, {
      details: { model },
    });
  }

  /** Which protocols will do. Throws when none will, and what is to be done instead. */
  #suitable({ model, method, path }: PassRequest, upgrades: boolean): SlotWish["suits"] {
    const names = this.#host.directory.protocolsOf(model);
    const listed = this.#protocols.filter(({ name }) => names.size === 0 || names.has(name));
    const able: string[] = [];
    for (const { name, pass, capabilities } of listed) {
      if (pass === undefined || !capabilities.passes || (upgrades && !capabilities.upgrades)) continue;
      const rule = pass.rule(method, path);
      if (rule.kind === "task") {
        throw new GatewayError(
          "TASK_REQUIRED",
          `this path does work that goes on after its answer; submit it as a task "${rule.operation}"`,
          { details: { model, operation: rule.operation } },
        );
      }
      if (rule.kind === "refuse") {
        throw new GatewayError("TASK_REQUIRED", `this path cannot be called directly: ${rule.reason}`, {
          details: { model },
        });
      }
      able.push(name);
    }
    if (able.length > 0) return (protocol) => able.includes(protocol);
    throw new GatewayError(
      "UNSUPPORTED",
      upgrades
        ? `the servers of model "${model}" are spoken to in a way that cannot be upgraded`
        : `the servers of model "${model}" take tasks only`,
      { details: { model } },
    );
  }

  async #send(
    request: PassRequest,
    suits: SlotWish["suits"],
    upgrades: boolean,
    abort: LateAbort,
    close: () => void,
  ): Promise<Upgraded | Extract<PassOutcome, { readonly kind: "answered" }>> {
    const { model, waitMs = 0 } = request;
    const untilMs = this.#clock.monotonic() + waitMs;
    const tried = new Set<string>();
    for (;;) {
      const wish = { model, suits, tried };
      const known = this.#slots.take(wish) ?? (await this.#await(wish, untilMs, abort));
      // It may have been stopped in the very turn in which it was served.
      if (abort.aborted) {
        if (known !== undefined) this.#slots.release(known.server.id);
        throw abort.reason;
      }
      if (known === undefined) {
        if (tried.size === 0) throw noSlot(model, this.#slots.hasServer(wish));
        const leftMs = untilMs - this.#clock.monotonic();
        if (leftMs <= 0) throw unreachable(model);
        await sleep(this.#clock, Math.min(leftMs, RETRY_MS), abort.signal);
        tried.clear();
        continue;
      }
      const held = this.#hold(model, known, close);
      const outcome = await this.#call(request, held, upgrades, abort);
      if (outcome.kind === "unsent") {
        this.#observe(known, { kind: "refused", reason: "unreachable", background: false });
      } else return this.#answered(outcome, held, request, abort);
      held.end("unsent");
      tried.add(known.server.id);
    }
  }

  /** Waits for a slot, and sees to it that there will be a server. `undefined` when there is none in time. */
  async #await(wish: SlotWish, untilMs: number, abort: AbortSource): Promise<KnownServer | undefined> {
    const { tried, model } = wish;
    for (;;) {
      const hasServer = this.#slots.hasServer(wish);
      // What was tried is tried again after a pause; nobody is to be asked to deploy another one.
      if (!hasServer && tried.size > 0) return undefined;
      if (!hasServer) this.#host.deployments()?.asked(model);
      const turnMs = this.#slots.turnMs(wish);
      const leftMs = Math.max(untilMs - this.#clock.monotonic(), turnMs > 0 ? turnMs + TURN_MARGIN_MS : 0);
      if (leftMs <= 0) return undefined;
      const isLast = hasServer || leftMs <= ASK_MS;
      const known = await this.#slots.wait(wish, isLast ? leftMs : ASK_MS, abort);
      if (known !== undefined || isLast) return known;
    }
  }

  #hold(model: string, known: KnownServer, close: () => void): Held {
    const { server } = known;
    const deployments = this.#host.deployments();
    const endUse = deployments?.begin(server);
    const startedMs = this.#clock.monotonic();
    let isOver = false;
    const end = (outcome: Outcome | "unsent"): void => {
      if (isOver) return;
      isOver = true;
      endUse?.();
      this.#slots.release(server.id);
      if (outcome === "unsent") return;
      close();
      const durationMs = this.#clock.monotonic() - startedMs;
      this.#host.emitter.emit("direct:ended", { model, server: server.id, durationMs, outcome });
    };
    return { known, end };
  }

  async #call(
    request: PassRequest,
    { known, end }: Held,
    upgrades: boolean,
    abort: LateAbort,
  ): Promise<UpgradeOutcome> {
    const { server } = known;
    const { method, path, query = "", headers = [], payload, sizeBytes } = request;
    const { timeoutMs, idleTimeoutMs } = this.#options;
    const passed: PassedRequest = {
      ...{ server, method, path, query, headers, payload, sizeBytes, idleTimeoutMs },
      timeoutMs: request.timeoutMs ?? timeoutMs,
    };
    try {
      const pass = this.#passOf(server.protocol);
      return await (upgrades ? pass.upgrade(passed, abort.options()) : pass.send(passed, abort.options()));
    } catch (error) {
      // A protocol rejects for what is not its server's doing: an abort, a payload that cannot be read.
      end(GatewayError.is(error, "INVALID_REQUEST") ? "unsent" : "aborted");
      throw error;
    }
  }

  #answered(
    outcome: Exclude<UpgradeOutcome, { readonly kind: "unsent" }>,
    { known, end }: Held,
    { model, method }: PassRequest,
    abort: LateAbort,
  ): Upgraded | Extract<PassOutcome, { readonly kind: "answered" }> {
    if (outcome.kind === "broken") {
      this.#observe(known, { kind: "failed" });
      end("broken");
      throw broken(model, outcome.reason);
    }
    if (outcome.kind === "upgraded") {
      this.#observe(known, { kind: "answered" });
      const over = (): void => end(abort.aborted ? "aborted" : "upgraded");
      if (outcome.connection.destroyed) over();
      else outcome.connection.once("close", over);
      return outcome;
    }
    const { answer, busy } = outcome;
    this.#observe(
      known,
      busy === undefined
        ? { kind: "answered" }
        : { kind: "refused", reason: "busy", retryAfterMs: busy.retryAfterMs, background: false },
    );
    if (method === "HEAD" || WITHOUT_BODY.includes(answer.status)) {
      end("answered");
      return outcome;
    }
    const { idleTimeoutMs } = this.#options;
    const body = new HeldBody(answer.body, this.#clock, idleTimeoutMs, (how) => {
      stopListening();
      if (how === "failed" && !abort.aborted) this.#observe(known, { kind: "failed" });
      end(how === "failed" ? (abort.aborted ? "aborted" : "broken") : "answered");
    });
    // Whoever has gone reads no more, and is not to keep the slot until somebody notices.
    const stopListening = abort.onAbort(() => end("aborted"));
    return { kind: "answered", answer: { ...answer, body } };
  }

  #observe({ server }: KnownServer, outcome: Observation): void {
    const { directory, emitter } = this.#host;
    observeServer(server.id, outcome, {
      directory,
      clock: this.#clock,
      events: { ejected: (id, forMs) => emitter.emit("server:ejected", { server: id, forMs }) },
    });
  }

  #passOf(name: string): PassThrough {
    const pass = this.#protocols.find((protocol) => protocol.name === name)?.pass;
    if (pass === undefined) throw new GatewayError("UNSUPPORTED", `the protocol "${name}" passes nothing on`);
    return pass;
  }
}

function stopping(): GatewayError {
  return new GatewayError("STOPPING", "the gateway is stopping and takes nothing new");
}

function unreachable(model: string): GatewayError {
  return new GatewayError("SERVER_UNREACHABLE", `no server of model "${model}" could be reached`, {
    details: { model },
  });
}

function broken(model: string, reason: "reset" | "timeout" | "bad_gateway"): GatewayError {
  const details = { model };
  if (reason === "timeout") {
    const message = `the server of model "${model}" did not answer within the time limit`;
    return new GatewayError("SERVER_TIMEOUT", message, { details });
  }
  const message = `the server of model "${model}" gave no answer that can be used`;
  return new GatewayError("SERVER_BAD_GATEWAY", message, { details });
}
