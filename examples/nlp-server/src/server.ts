import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { Embedder } from "./embeddings.ts";
import { type EngineName, loadEngine } from "./engine.ts";
import { FaultSwitch } from "./faults.ts";
import { Handler } from "./handler.ts";
import { Metrics } from "./metrics.ts";
import { Runs } from "./runs.ts";
import { Stats, type StatsSnapshot } from "./stats.ts";

export type { EngineName } from "./engine.ts";
export type { Fault, FaultKind, FaultSwitch } from "./faults.ts";
export type { Annotation } from "./nlp/code-points.ts";
export type { RouteCount, StatsSnapshot, TextCount } from "./stats.ts";

export interface NlpServerOptions {
  /** The name in `/info`. Default `nlp`. */
  modelName?: string;
  /** The most work requests at once; the next is answered with 503. Default 16. */
  capacity?: number;
  /** The largest request body. Default 64 MiB. */
  maxBodyBytes?: number;
  /** `echo` finds nothing, at once. Default `nlp`. */
  engine?: EngineName;
  /** Opens the control routes `/_faults` and `/_stats`, and counts texts. Default false. */
  faults?: boolean;
  /** The least time that a training or evaluation takes. Default 0. */
  runMs?: number;
  /** How long `close()` waits for what runs. Default 5000. */
  drainMs?: number;
}

export interface NlpServer {
  /** Loads the model, warms it up and listens. Port 0 takes any free one. */
  listen(port?: number, host?: string): Promise<{ url: string }>;
  /** Stops accepting, lets what runs finish within `drainMs`, then breaks off the rest. */
  close(): Promise<void>;
  /** What the server has seen, as in `GET /_stats`; texts are counted only with `faults`. */
  stats(): StatsSnapshot;
  /** The fault switch behind `/_faults`. It has an effect only with `faults`. */
  readonly faults: FaultSwitch;
}

export function createNlpServer(options: NlpServerOptions = {}): NlpServer {
  const { faults: withFaults = false, drainMs = 5_000 } = options;
  const faults = new FaultSwitch();
  const stats = new Stats(withFaults);
  const runs = new Runs(options.runMs ?? 0);
  const stop = new AbortController();
  const sockets = new Set<Socket>();
  let server: Server | undefined;

  async function listen(port = 0, host = "127.0.0.1"): Promise<{ url: string }> {
    if (server) throw new Error("The server listens already.");
    const engine = await loadEngine(options.engine ?? "nlp");
    const handler = new Handler({
      model: {
        name: options.modelName ?? "nlp",
        engine,
        embedder: new Embedder(),
        runs,
        metrics: new Metrics(),
      },
      stats,
      faults: withFaults ? faults : undefined,
      capacity: options.capacity ?? 16,
      maxBodyBytes: options.maxBodyBytes ?? 64 * 1024 * 1024,
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
    server = http;
    await new Promise<void>((resolve, reject) => {
      http.once("error", reject);
      http.listen(port, host, () => {
        http.off("error", reject);
        resolve();
      });
    });
    const address = http.address() as AddressInfo;
    const name = host.includes(":") ? `[${host}]` : host;
    return { url: `http://${name}:${address.port}` };
  }

  async function close(): Promise<void> {
    stop.abort();
    runs.cancel();
    const http = server;
    if (!http?.listening) return;
    const closed = new Promise<void>((resolve) => http.close(() => resolve()));
    // A connection whose last answer was begun before the stop stays open; it is idle as soon as that answer is out.
    // One that was opened and never used, as clients do ahead of need, is not idle in Node's eyes.
    const sweep = setInterval(() => {
      http.closeIdleConnections();
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
    }, 20);
    const deadline = setTimeout(() => http.closeAllConnections(), drainMs);
    await closed;
    clearInterval(sweep);
    clearTimeout(deadline);
  }

  return { listen, close, stats: () => stats.snapshot(), faults };
}
