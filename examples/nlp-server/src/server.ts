import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { Authenticator, type AuthOptions } from "./auth/authenticator.ts";
import { Embedder } from "./embeddings.ts";
import type { EngineName } from "./engine.ts";
import { FaultSwitch } from "./faults.ts";
import { Handler } from "./handler.ts";
import { Metrics } from "./metrics.ts";
import { loadParts } from "./parts.ts";
import { RateLimit } from "./rate-limit.ts";
import { routesOf } from "./routes/index.ts";
import type { Model } from "./routes/model.ts";
import { type Behaviour, type BehaviourName, Behaviours } from "./runs/behaviours.ts";
import { journalTo } from "./runs/journal.ts";
import type { RunStatus } from "./runs/run.ts";
import { RunBook } from "./runs/run-book.ts";
import { Runs } from "./runs/runs.ts";
import { Stats, type StatsSnapshot } from "./stats.ts";
import type { MlflowOptions } from "./tracker/mlflow-client.ts";
import type { MlflowTracker } from "./tracker/mlflow-tracker.ts";
import { Upgrades } from "./websocket/upgrades.ts";

export type { AuthOptions } from "./auth/authenticator.ts";
export type { EngineName } from "./engine.ts";
export type { Fault, FaultKind, FaultSwitch } from "./faults.ts";
export type { Annotation } from "./nlp/code-points.ts";
export type { Behaviour, BehaviourName, Behaviours } from "./runs/behaviours.ts";
export type { RouteCount, StatsSnapshot, TextCount, TrainingCount } from "./stats.ts";
export type { MlflowOptions } from "./tracker/mlflow-client.ts";

export interface NlpServerOptions {
  /** The name in `/info`. Default `nlp`. */
  modelName?: string;
  /** The most work requests at once; the next is answered with 503. Default 16. */
  capacity?: number;
  /** The largest request body. Default 64 MiB. */
  maxBodyBytes?: number;
  /** `echo` finds nothing, at once; `vllm` generates, with the routes of vLLM's form. Default `nlp`. */
  engine?: EngineName;
  /** The stream routes of CMS, in place of those of its model server. Default false. */
  streamable?: boolean;
  /** The generative routes of CMS, in place of those of its model server. Default false. */
  generative?: boolean;
  /** The generative routes begin with `/v1` and not with `/openai/v1`, as they once did in CMS. Default false. */
  legacyPrefix?: boolean;
  /** The least time that a generated token takes. Default 0. */
  tokenMs?: number;
  /** The same request gives the same text with the same seed; a request may have its own. Default 1. */
  seed?: number;
  /** Who may use the server; in vLLM's form it is without effect. Default: everybody. */
  auth?: AuthOptions | undefined;
  /** After how long without a text a WebSocket is closed. Default 60000, as in CMS. */
  webSocketIdleMs?: number;
  /** After how long a silent event stream ends, or sends a sign of life. Default 300000, as in CMS. */
  eventIdleMs?: number;
  /** How long texts wait for the listener of their events. Default 1000, as in CMS. */
  eventConnectMs?: number;
  /** Opens the control routes `/_faults` and `/_stats`, and counts texts. Default false. */
  faults?: boolean;
  /** The least time that a training or evaluation takes. Default 0. */
  runMs?: number;
  /** Whether `/train_metacat` is there. Default false, as in CMS. */
  metacat?: boolean;
  /** What the server does wrong, as some real ones do; the README lists the names. Default: nothing. */
  behaviours?: readonly (BehaviourName | (Partial<Behaviour> & { name: BehaviourName }))[];
  /** Requests a minute to `/process` and its like, of which CMS lets half through. Default: no limit. */
  rateLimit?: number | undefined;
  /** Where runs are logged. Default: in memory only. */
  mlflow?: MlflowOptions | undefined;
  /** A file to which each beginning and end of a training is added as a line. */
  runsJournal?: string | undefined;
  /** How long `close()` waits for what runs. Default 5000. */
  drainMs?: number;
}

export interface NlpServer {
  /** Loads the model, warms it up and listens. Port 0 takes any free one. */
  listen(port?: number, host?: string): Promise<{ url: string }>;
  /** Stops accepting, lets what runs finish within `drainMs`, then breaks off the rest. */
  close(): Promise<void>;
  /** Dies as a process that is killed: connections are reset, and runs stay as they are for ever. */
  crash(): void;
  /** What the server has seen, as in `GET /_stats`; texts are counted only with `faults`. */
  stats(): StatsSnapshot;
  /** The runs that the server began, the oldest first, those with invented names among them. */
  runs(): RunSummary[];
  /** Whoever has logged in has to do so again. */
  revokeTokens(): void;
  /** The fault switch behind `/_faults`. It has an effect only with `faults`. */
  readonly faults: FaultSwitch;
  /** The switches behind `/_behaviour`. */
  readonly behaviours: Behaviours;
}

export interface RunSummary {
  id: string;
  name: string;
  experimentId: string;
  status: RunStatus;
}

/** How long a stop waits until MLflow knows of it; a process is gone 4 s after its SIGTERM. */
const lastWordsMs = 3_500;

export function createNlpServer(options: NlpServerOptions = {}): NlpServer {
  const { faults: withFaults = false, drainMs = 5_000 } = options;
  const faults = new FaultSwitch();
  const stats = new Stats(withFaults);
  const behaviours = new Behaviours();
  behaviours.set(...(options.behaviours ?? []));
  const journal = options.runsJournal === undefined ? undefined : journalTo(options.runsJournal);
  const metrics = new Metrics();
  // CMS never asks for a login where vLLM answers.
  const authenticator =
    options.auth && options.engine !== "vllm" ? new Authenticator(options.auth) : undefined;
  let runs: Runs | undefined;
  const stop = new AbortController();
  const sockets = new Set<Socket>();
  let server: Server | undefined;

  async function listen(port = 0, host = "127.0.0.1"): Promise<{ url: string }> {
    if (server) throw new Error("The server listens already.");
    const { engine, generator, isVllm, ...card } = await loadParts(options);
    const name = options.modelName ?? "nlp";
    runs = new Runs({
      leastMs: options.runMs ?? 0,
      book: new RunBook(await trackerOf(options.mlflow, name, engine.type)),
      behaviours,
      modelType: engine.type,
      onEvent: (event) => {
        journal?.(event);
        stats.trained(event);
      },
    });
    const model: Model = {
      name,
      ...card,
      engine,
      embedder: new Embedder(),
      runs,
      behaviours,
      trainsMetacat: options.metacat ?? false,
      metrics,
    };
    const times = {
      sseIdleMs: options.eventIdleMs ?? 300_000,
      sseConnectMs: options.eventConnectMs ?? 1_000,
    };
    const handler = new Handler({
      model,
      routes: routesOf({
        generator,
        isVllm,
        openaiPrefix: options.legacyPrefix ? "/v1" : "/openai/v1",
        stream: options.streamable ? times : undefined,
        authenticator,
      }),
      authenticator,
      stats,
      faults: withFaults ? faults : undefined,
      rateLimit: options.rateLimit === undefined ? undefined : new RateLimit(options.rateLimit),
      capacity: options.capacity ?? 16,
      maxBodyBytes: options.maxBodyBytes ?? 64 * 1024 * 1024,
      stop: stop.signal,
    });
    const http = createServer({ keepAliveTimeout: 65_000, requestTimeout: 0 }, (request, response) => {
      if (stop.signal.aborted) response.setHeader("connection", "close");
      handler.handle(request, response).catch((error: unknown) => {
        console.error(error instanceof Error ? error.name : typeof error);
        response.destroy();
      });
    });
    http.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    });
    if (options.streamable) {
      // Only here: with a listener, Node hands over every request that asks for another protocol.
      const upgrades = new Upgrades({
        model,
        stats,
        faults: withFaults ? faults : undefined,
        authenticator,
        idleMs: options.webSocketIdleMs ?? 60_000,
      });
      http.on("upgrade", (request, socket, head) => upgrades.handle(request, socket, head));
      stop.signal.addEventListener("abort", () => upgrades.close());
    }
    server = http;
    await new Promise<void>((resolve, reject) => {
      http.once("error", reject);
      http.listen(port, host, () => {
        http.off("error", reject);
        resolve();
      });
    });
    const address = http.address() as AddressInfo;
    const shown = host.includes(":") ? `[${host}]` : host;
    return { url: `http://${shown}:${address.port}` };
  }

  async function close(): Promise<void> {
    stop.abort();
    const stopped = runs?.stop(lastWordsMs);
    const http = server;
    if (http?.listening) await closeSockets(http);
    await stopped;
  }

  async function closeSockets(http: Server): Promise<void> {
    const closed = new Promise<void>((resolve) => http.close(() => resolve()));
    // A connection whose last answer was begun before the stop stays open; it is idle as soon as that answer is out.
    // One that was opened and never used, as clients do ahead of need, is not idle in Node's eyes.
    const sweep = setInterval(() => {
      http.closeIdleConnections();
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
    }, 20);
    const deadline = setTimeout(() => destroyAll(sockets), drainMs);
    await closed;
    clearInterval(sweep);
    clearTimeout(deadline);
  }

  function crash(): void {
    runs?.abandon();
    for (const socket of sockets) socket.resetAndDestroy();
    server?.close();
  }

  function listRuns(): RunSummary[] {
    return (runs?.book.list() ?? []).map(({ start: { id, name, experimentId }, status }) => {
      return { id, name, experimentId, status };
    });
  }

  return {
    listen,
    close,
    crash,
    behaviours,
    runs: listRuns,
    stats: () => stats.snapshot(),
    revokeTokens: () => authenticator?.revokeTokens(),
    faults,
  };
}

/** Node itself breaks off only those that speak HTTP. */
function destroyAll(sockets: Iterable<Socket>): void {
  for (const socket of sockets) socket.destroy();
}

/** What speaks to MLflow is only loaded where there is one. */
async function trackerOf(
  options: MlflowOptions | undefined,
  modelName: string,
  type: string,
): Promise<MlflowTracker | undefined> {
  if (!options) return undefined;
  const { MlflowTracker } = await import("./tracker/mlflow-tracker.ts");
  return new MlflowTracker(options, { name: modelName.replaceAll(" ", "_"), type });
}
