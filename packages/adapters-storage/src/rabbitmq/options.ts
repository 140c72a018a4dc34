import { invalidOption } from "@modelgate/core/adapter";

/** How the broker is spoken to over TLS. Texts are PEM. */
export interface RabbitmqTlsOptions {
  /** Authorities to trust in place of the machine's. */
  readonly ca?: string | undefined;
  /** Our own certificate and its key, where the broker asks for one. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the broker's certificate must have; the host of the address by default. */
  readonly serverName?: string | undefined;
  /** `false` takes any certificate. Default: true. */
  readonly verify?: boolean | undefined;
}

export interface RabbitmqBrokerOptions {
  /** `amqp://user:password@host:port/vhost`, or `amqps://…` for TLS. Either this or `urls`. */
  readonly url?: string | undefined;
  /** The nodes of a cluster, tried in turn. */
  readonly urls?: readonly string[] | undefined;
  /** In place of one in the address. Default: `guest`. */
  readonly username?: string | undefined;
  /** In place of one in the address; a function is asked at each connection. */
  readonly password?: string | (() => string | Promise<string>) | undefined;
  /** In place of one in the address. Default: `/`. */
  readonly vhost?: string | undefined;
  /** What is trusted, and TLS itself where the address says `amqp://`. Default: what the address says. */
  readonly tls?: boolean | RabbitmqTlsOptions | undefined;
  /** Begins the name of every queue and exchange: 1 to 64 of `A-Z`, `a-z`, `0-9`, `_`, `.`, `:` and `-`. Default: `modelgate`. */
  readonly prefix?: string | undefined;
  /**
   * Of queues that are made; one that is there is used as it is. `quorum` needs RabbitMQ 3.10. Default: `auto`, which is
   * `quorum` from 3.10 on.
   */
  readonly queueType?: "auto" | "quorum" | "classic" | undefined;
  /** After twice this long without a sign of the broker the connection is given up. 1,000 to 600,000; default: 10,000. */
  readonly heartbeatMs?: number | undefined;
  /** For each address. 1 to 600,000; default: 5,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** A call without an answer fails after so long. 100 to 600,000; default: 5,000. */
  readonly operationTimeoutMs?: number | undefined;
  /** By which the broker's operators tell these connections. Default: `modelgate`. */
  readonly connectionName?: string | undefined;
}

export interface BrokerAddress {
  readonly isSecure: boolean;
  readonly hostname: string;
  readonly port: number;
  readonly vhost: string;
  readonly username: string;
  readonly password: string;
}

export interface BrokerSettings {
  readonly addresses: readonly BrokerAddress[];
  /** Asked at each connection; `undefined` leaves the address's. */
  readonly password: RabbitmqBrokerOptions["password"];
  readonly tls: RabbitmqTlsOptions;
  readonly prefix: string;
  readonly queueType: "auto" | "quorum" | "classic";
  readonly heartbeatMs: number;
  readonly connectTimeoutMs: number;
  readonly operationTimeoutMs: number;
  readonly connectionName: string;
}

const FORM = "amqp://user:password@host:port/vhost, where what is special is written as %XX";

/** Fills in the defaults. Throws `INVALID_OPTIONS`, which names the field. */
export function resolveOptions(options: RabbitmqBrokerOptions): BrokerSettings {
  const { url, urls, prefix = "modelgate", queueType = "auto", tls } = options;
  if (url !== undefined && urls !== undefined)
    throw invalidOption("urls", "must be absent where url is given");
  const given = urls ?? (url === undefined ? [] : [url]);
  const field = urls === undefined ? "url" : "urls";
  if (given.length === 0) throw invalidOption(field, `must be given: ${FORM}`);
  if (!/^[A-Za-z0-9_.:-]{1,64}$/.test(prefix))
    throw invalidOption("prefix", "must be 1 to 64 of A-Z, a-z, 0-9, _, ., : and -");
  if (!["auto", "quorum", "classic"].includes(queueType))
    throw invalidOption("queueType", "must be auto, quorum or classic");
  const { username, password } = options;
  if (password !== undefined && typeof password !== "string" && typeof password !== "function")
    throw invalidOption("password", "must be a text or a function");
  const addresses = given.map((each) => addressOf(each, field, options));
  if (tls === false && addresses.some(({ isSecure }) => isSecure))
    throw invalidOption("tls", "is false, but the address begins with amqps://");
  if (username !== undefined && username === "") throw invalidOption("username", "must not be empty");
  return {
    addresses,
    password,
    tls: typeof tls === "object" ? tls : {},
    prefix,
    queueType,
    heartbeatMs: within("heartbeatMs", options.heartbeatMs ?? 10_000, 1_000, 600_000),
    connectTimeoutMs: within("connectTimeoutMs", options.connectTimeoutMs ?? 5_000, 1, 600_000),
    operationTimeoutMs: within("operationTimeoutMs", options.operationTimeoutMs ?? 5_000, 100, 600_000),
    connectionName: options.connectionName ?? "modelgate",
  };
}

function addressOf(text: string, field: string, options: RabbitmqBrokerOptions): BrokerAddress {
  const { username, password, vhost, tls } = options;
  try {
    const url = new URL(text);
    if (url.protocol !== "amqp:" && url.protocol !== "amqps:") throw new Error("another protocol");
    if (url.hostname === "") throw new Error("no host");
    const isSecure = url.protocol === "amqps:" || (tls !== undefined && tls !== false);
    const isNamed = url.username !== "" || url.password !== "";
    return {
      isSecure,
      hostname: url.hostname.replace(/^\[|\]$/g, ""),
      port: Number(url.port) || (isSecure ? 5671 : 5672),
      vhost: vhost ?? (decodeURIComponent(url.pathname.slice(1)) || "/"),
      username: username ?? (isNamed ? decodeURIComponent(url.username) : "guest"),
      password:
        typeof password === "string" ? password : isNamed ? decodeURIComponent(url.password) : "guest",
    };
  } catch {
    // What the parser says may quote it.
    throw invalidOption(field, `must be ${FORM}`);
  }
}

function within(field: string, value: number, minimum: number, maximum: number): number {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return value;
  throw invalidOption(field, `must be a whole number from ${minimum} to ${maximum}; it is ${String(value)}`);
}
