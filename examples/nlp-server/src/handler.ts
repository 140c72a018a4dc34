import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Authenticator } from "./auth/authenticator.ts";
import { type Fault, type FaultSwitch, parseFaults } from "./faults.ts";
import {
  type Answer,
  busy,
  ConnectionLost,
  json,
  message,
  methodNotAllowed,
  notFound,
  Refusal,
  send,
  sendHalf,
  text,
} from "./http/answer.ts";
import { ClientGone, readBody } from "./http/body.ts";
import { BrokenOff, disturb, hungUp } from "./http/disturb.ts";
import { Form } from "./http/form.ts";
import type { RateLimit } from "./rate-limit.ts";
import type { FormRoute, InfoRoute, Model, StreamRoute, Work, WorkRoute } from "./routes/model.ts";
import type { Found, RouteTable } from "./routes/route-table.ts";
import { parseBehaviours } from "./runs/behaviours.ts";
import type { Stats } from "./stats.ts";

export interface HandlerOptions {
  model: Model;
  routes: RouteTable;
  /** Undefined where everybody may use the server. */
  authenticator: Authenticator | undefined;
  stats: Stats;
  /** Undefined where the control routes are off. */
  faults: FaultSwitch | undefined;
  rateLimit: RateLimit | undefined;
  capacity: number;
  maxBodyBytes: number;
  /** Aborted when the server stops; what would never end ends then. */
  stop: AbortSignal;
}

type Outcome = "sent" | "broken" | "reset";

/** One request on its way. */
interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  route: string;
  query: URLSearchParams;
  /** Aborted when the client hangs up. */
  signal: AbortSignal;
}

const unauthorized = json(401, { detail: "Unauthorized" });

/** Without `Retry-After`, as in CMS. */
const tooManyRequests = message(429, "Too many requests. Please wait and try your request again.");

const controlRoutes: ReadonlySet<string> = new Set(["/_faults", "/_behaviour", "/_stats"]);

/** Answers requests; what it does not answer it has broken off on purpose, or its client is gone. */
export class Handler {
  readonly #options: HandlerOptions;

  constructor(options: HandlerOptions) {
    this.#options = options;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { stats, model } = this.#options;
    const begunAt = performance.now();
    const [path = "/", search = ""] = splitOnce(request.url ?? "/", "?");
    const found = this.#options.routes.find(path);
    const route = found?.label ?? (this.#isControl(path) ? path : "other");
    const hangUp = new AbortController();
    let brokenByUs = false;
    response.on("close", () => {
      if (response.writableFinished) return;
      hangUp.abort();
      if (!brokenByUs) stats.aborted();
    });

    stats.received(route);
    const query = new URLSearchParams(search);
    const exchange = { request, response, route, query, signal: hangUp.signal };
    try {
      const answer = await this.#answer(exchange, path, found);
      if (answer === "broken") {
        brokenByUs = true;
        response.destroy();
      } else if (answer === "reset") {
        brokenByUs = true;
        request.socket.resetAndDestroy();
      }
    } catch (error) {
      if (hangUp.signal.aborted || error instanceof ClientGone) return;
      if (error instanceof ConnectionLost) {
        brokenByUs = true;
        request.socket.resetAndDestroy();
        return;
      }
      brokenByUs = response.headersSent;
      await this.#fail(exchange, error);
    }
    if (!response.headersSent || brokenByUs) return;
    stats.finished(route, response.statusCode);
    const seconds = (performance.now() - begunAt) / 1_000;
    const handler = route === "other" ? "none" : route;
    model.metrics.requested(handler, request.method ?? "", response.statusCode, seconds);
  }

  async #answer(exchange: Exchange, path: string, found: Found | undefined): Promise<Outcome> {
    const { request, response } = exchange;
    if (!found) {
      if (this.#isControl(path)) return this.#send(response, await this.#control(exchange));
      return this.#send(response, this.#redirect(request, path) ?? notFound);
    }
    const allowed = found.kind === "info" ? found.route.method : "POST";
    const isAllowed = request.method === allowed || (request.method === "HEAD" && answersHead(found));
    if (!isAllowed) return this.#send(response, methodNotAllowed(allowed));
    const { authenticator } = this.#options;
    if (authenticator && !isOpen(found) && authenticator.userOf(request) === undefined) {
      return this.#send(response, unauthorized);
    }
    if (found.kind === "info") return this.#info(exchange, found.route, found.name);
    if (found.kind === "form") return this.#form(exchange, found.route);
    return this.#work(exchange, found);
  }

  #info(exchange: Exchange, info: InfoRoute, name: string): Promise<Outcome> {
    const { faults, model, stop } = this.#options;
    const fault = faults?.take(exchange.route, false, []);
    const context = { name, stop, signal: exchange.signal };
    return this.#finish(exchange, fault, async () => info.answer(model, exchange.query, context));
  }

  async #form(exchange: Exchange, { answer }: FormRoute): Promise<Outcome> {
    const { faults, maxBodyBytes } = this.#options;
    const body = await readBody(exchange.request, maxBodyBytes);
    const fault = faults?.take(exchange.route, false, []);
    const { "content-type": contentType } = exchange.request.headers;
    return this.#finish(exchange, fault, async () => answer(await Form.read(body, contentType)));
  }

  async #work(exchange: Exchange, found: Extract<Found, { kind: "work" | "stream" }>): Promise<Outcome> {
    const { stats, capacity, rateLimit } = this.#options;
    if (rateLimit?.admits(exchange.route, exchange.request.socket.remoteAddress ?? "") === false) {
      return this.#send(exchange.response, tooManyRequests);
    }
    if (stats.inFlight >= capacity) {
      stats.refused();
      return this.#send(exchange.response, busy());
    }
    stats.began();
    try {
      return found.kind === "work"
        ? await this.#workWithinCapacity(exchange, found.route)
        : await this.#stream(exchange, found.route);
    } finally {
      stats.ended();
    }
  }

  async #workWithinCapacity(exchange: Exchange, route: WorkRoute): Promise<Outcome> {
    const { model, stats, faults, maxBodyBytes } = this.#options;
    const { request, query, signal } = exchange;
    const body = await readBody(request, maxBodyBytes);
    let work: Work | undefined;
    let refusal: unknown;
    try {
      const contentType = request.headers["content-type"];
      work = await route({ model, route: exchange.route, body, contentType, query });
    } catch (error) {
      refusal = error;
    }
    const texts = work?.texts ?? [];
    stats.textsReceived(texts);
    const fault = faults?.take(exchange.route, true, texts);
    const outcome = await this.#finish(exchange, fault, async () => {
      if (!work) throw refusal;
      return work.answer(signal);
    });
    if (outcome === "sent" && exchange.response.statusCode === 200 && !signal.aborted)
      stats.textsAnswered(texts);
    return outcome;
  }

  /** Work that begins before the request is whole. Its faults cannot be picked by its texts. */
  #stream(exchange: Exchange, route: StreamRoute): Promise<Outcome> {
    const { model, stats, faults } = this.#options;
    const { request, query, signal } = exchange;
    const fault = faults?.take(exchange.route, true, []);
    const onText = (text: string): void => stats.textsReceived([text]);
    const work = { model, route: exchange.route, incoming: request, query, signal, onText };
    return this.#finish(exchange, fault, async () => route(work));
  }

  /** Does what the fault asks for, and otherwise gives the answer. */
  async #finish(
    { response, signal }: Exchange,
    fault: Fault | undefined,
    answer: () => Promise<Answer>,
  ): Promise<Outcome> {
    if (!fault) return this.#send(response, await answer());
    this.#options.stats.faulted(fault.kind);
    switch (fault.kind) {
      case "delay":
        await sleep(fault.ms, undefined, { signal });
        return this.#send(response, await answer());
      case "error":
        return this.#send(response, message(fault.status, "The fault switch made this request fail."));
      case "busy":
        return this.#send(response, busy(Math.max(1, Math.ceil(fault.ms / 1_000))));
      case "hang":
        await hungUp(signal);
        return "broken";
      case "die_mid_body":
        await sendHalf(response, await answer());
        return "broken";
      case "reset":
        return "reset";
      case "slow_first_byte":
      case "stall":
      case "break_off":
        return this.#sendDisturbed(response, disturb(await answer(), fault, signal));
    }
  }

  async #sendDisturbed(response: ServerResponse, answer: Answer): Promise<Outcome> {
    try {
      return await this.#send(response, answer);
    } catch (error) {
      if (error instanceof BrokenOff) return "broken";
      throw error;
    }
  }

  async #send(response: ServerResponse, answer: Answer): Promise<"sent"> {
    await send(response, answer);
    return "sent";
  }

  async #fail({ response, route }: Exchange, error: unknown): Promise<void> {
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (error instanceof Refusal) {
      await send(response, error.answer);
      return;
    }
    // The error may quote a note, so only its name is written down.
    console.error(`${route}: ${error instanceof Error ? error.name : typeof error}`);
    await send(response, message(500, "The model failed on this request."));
  }

  async #control({ request, route, query }: Exchange): Promise<Answer> {
    const { stats, faults, maxBodyBytes, model } = this.#options;
    if (!faults) return notFound;
    const method = request.method ?? "";
    if (route === "/_stats") {
      if (method === "DELETE") stats.reset();
      else if (method !== "GET") return methodNotAllowed("GET, DELETE");
      return json(200, stats.snapshot(Number(query.get("least_received") ?? 1)));
    }
    if (route === "/_behaviour") {
      const { behaviours } = model;
      if (method === "POST") behaviours.set(...parseBehaviours(await readBody(request, maxBodyBytes)));
      else if (method === "DELETE") behaviours.clear(query.get("name") ?? undefined);
      else if (method !== "GET") return methodNotAllowed("GET, POST, DELETE");
      return json(200, { behaviours: behaviours.list() });
    }
    if (method === "POST") faults.add(...parseFaults(await readBody(request, maxBodyBytes)));
    else if (method === "DELETE") faults.clear();
    else if (method !== "GET") return methodNotAllowed("GET, POST, DELETE");
    return json(200, { faults: faults.list() });
  }

  #isControl(path: string): boolean {
    return this.#options.faults !== undefined && controlRoutes.has(path);
  }

  /** `/info/` leads to `/info`, with an absolute address, as in CMS. */
  #redirect(request: IncomingMessage, path: string): Answer | undefined {
    const canonical = this.#options.routes.canonical(path);
    if (canonical === undefined) return undefined;
    const host = request.headers.host ?? "127.0.0.1";
    const search = (request.url ?? "").slice(path.length);
    return { ...text(307, ""), headers: { location: `http://${host}${canonical}${search}` } };
  }
}

function answersHead(found: Found): boolean {
  return found.kind === "info" && found.route.answersHead === true;
}

function isOpen(found: Found): boolean {
  return (found.kind === "info" || found.kind === "form") && found.route.isOpen === true;
}

function splitOnce(source: string, separator: string): string[] {
  const at = source.indexOf(separator);
  return at === -1 ? [source] : [source.slice(0, at), source.slice(at + 1)];
}
