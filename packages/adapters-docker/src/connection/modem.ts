import { Agent as HttpAgent, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import Dockerode from "dockerode";
import type { EngineAddress } from "./options.ts";

/** What is used of `docker-modem`, which declares it less closely. */
export interface Modem {
  readonly version?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  dial(
    options: {
      readonly path: string;
      readonly method: string;
      readonly headers: Record<string, string>;
      readonly options: { readonly _query: object; readonly _body: object };
      readonly file?: Uint8Array;
      readonly abortSignal: AbortSignal;
      readonly isStream: true;
      readonly statusCodes: Readonly<Record<string, true>>;
    },
    callback: (error: unknown, response: IncomingMessage | null) => void,
  ): void;
}

/** Two ways to one engine: one for calls, over few connections, and one for answers that go on. */
export interface Modems {
  readonly calls: Modem;
  readonly streams: Modem;
  /** Closes the connections that were opened here. */
  close(): void;
}

/** Engines have leaked memory with every connection, so that few long-lived ones are better than many. */
const CALL_SOCKETS = 8;
const STREAM_SOCKETS = 256;
/** After which a silent peer is asked whether it is still there. */
const KEEP_ALIVE_MS = 15_000;

export function createModems(address: EngineAddress): Modems {
  if (address.kind === "client") {
    const modem = address.client.modem as unknown as Modem;
    return { calls: modem, streams: modem, close: () => {} };
  }
  const agents = [CALL_SOCKETS, STREAM_SOCKETS].map((maxSockets) => {
    const options = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS, maxSockets };
    return address.kind === "tcp" && address.tls !== undefined
      ? new HttpsAgent(options)
      : new HttpAgent(options);
  });
  const [calls, streams] = agents.map((agent) => createModem(address, agent));
  return {
    calls: calls as Modem,
    streams: streams as Modem,
    close: () => {
      for (const agent of agents) agent.destroy();
    },
  };
}

/**
 * `docker-modem` mixes the environment into what it is given, so that `DOCKER_HOST` beats a `socketPath` and a
 * certificate that cannot be read makes it throw. It looks at it in its constructor only, which is synchronous: nobody
 * sees that the variables are away meanwhile. Its own `timeout` would end streams that are merely silent.
 */
function createModem(address: Exclude<EngineAddress, { kind: "client" }>, agent: HttpAgent): Modem {
  const { DOCKER_HOST } = process.env;
  delete process.env["DOCKER_HOST"];
  try {
    return new Dockerode({ ...modemOptions(address), agent } as Dockerode.DockerOptions)
      .modem as unknown as Modem;
  } finally {
    if (DOCKER_HOST !== undefined) process.env["DOCKER_HOST"] = DOCKER_HOST;
  }
}

function modemOptions(address: Exclude<EngineAddress, { kind: "client" }>): object {
  if (address.kind === "socket") return { socketPath: address.socketPath, protocol: "http" };
  const { host, port, tls } = address;
  const protocol = tls === undefined ? "http" : "https";
  return { host: `${protocol}://${host.includes(":") ? `[${host}]` : host}`, port, protocol, ...tls };
}
