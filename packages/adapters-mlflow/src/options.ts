import { invalidOption, numberWithin } from "@modelgate/core/adapter";

/** All durations in milliseconds. */
export interface MlflowTrackingOptions {
  /** Address of the MLflow server, such as `http://mlflow-ui:5000`; a path before its API is kept. */
  readonly url: string;
  /** For basic authentication, with `password`. */
  readonly username?: string | undefined;
  /** Password of that user; may be empty. */
  readonly password?: string | undefined;
  /** For bearer authentication, in place of a user and a password. */
  readonly token?: string | undefined;
  /** Address under which people open its pages, for links. Default `url`. */
  readonly publicUrl?: string | undefined;
  /** For one answer, however many requests it takes. Default 10 s. */
  readonly timeoutMs?: number | undefined;
  /** How long what is said of a model is remembered. Runs are never. Default 5 min. */
  readonly cacheMs?: number | undefined;
}

/** The same, checked and filled in. */
export interface MlflowSettings {
  /** Without a slash at its end. */
  readonly base: string;
  readonly origin: string;
  /** Name and port, as an address of an artifact may have them. */
  readonly host: string;
  readonly authorization: string | undefined;
  /** The options that `authorization` was made of, for people. */
  readonly credentials: "username and password" | "token" | undefined;
  /** What links begin with. */
  readonly pages: string;
  readonly timeoutMs: number;
  readonly cacheMs: number;
}

const NAMES: readonly string[] = [
  "url",
  "username",
  "password",
  "token",
  "publicUrl",
  "timeoutMs",
  "cacheMs",
] satisfies (keyof MlflowTrackingOptions)[];

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_CACHE_MS = 300_000;
const LONGEST_MS = 2 ** 31 - 1;
/** What a header may have. Node names the header and its value when it refuses others. */
const VISIBLE = /^[\x21-\x7e]+$/;

/** Throws `INVALID_OPTIONS` that names the field, and quotes nothing in which a secret may stand. */
export function checkOptions(options: MlflowTrackingOptions): MlflowSettings {
  for (const name of Object.keys(options)) {
    if (!NAMES.includes(name)) throw invalidOption(name, `is no option; there are ${NAMES.join(", ")}`);
  }
  const { timeoutMs = DEFAULT_TIMEOUT_MS, cacheMs = DEFAULT_CACHE_MS } = options;
  const url = addressOf("url", options.url);
  return {
    base: baseOf(url),
    origin: url.origin,
    host: url.host,
    ...credentialsOf(options),
    pages: options.publicUrl === undefined ? baseOf(url) : baseOf(addressOf("publicUrl", options.publicUrl)),
    timeoutMs: numberWithin("timeoutMs", timeoutMs, 1, LONGEST_MS),
    cacheMs: numberWithin("cacheMs", cacheMs, 0, LONGEST_MS),
  };
}

function addressOf(field: string, value: unknown): URL {
  const example = "an address such as http://mlflow-ui:5000";
  const url = typeof value === "string" && URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    throw invalidOption(field, `must be ${example}`);
  }
  if (url.username !== "" || url.password !== "") {
    throw invalidOption(field, "must not have credentials in it; give username and password, or token");
  }
  if (url.search !== "" || url.hash !== "") {
    throw invalidOption(field, `must end with its path, without ? and #; give ${example}`);
  }
  return url;
}

function baseOf({ origin, pathname }: URL): string {
  return `${origin}${pathname.replace(/\/+$/, "")}`;
}

function credentialsOf(
  options: MlflowTrackingOptions,
): Pick<MlflowSettings, "authorization" | "credentials"> {
  const { username, password, token } = options;
  if (token !== undefined) {
    if (username !== undefined || password !== undefined) {
      throw invalidOption("token", "cannot stand beside username and password; give one or the other");
    }
    if (typeof token !== "string" || !VISIBLE.test(token)) {
      throw invalidOption("token", "must be a text without spaces and line ends");
    }
    return { authorization: `Bearer ${token}`, credentials: "token" };
  }
  if (username === undefined && password === undefined) {
    return { authorization: undefined, credentials: undefined };
  }
  // A colon ends the name where the two are joined.
  if (typeof username !== "string" || username === "" || username.includes(":")) {
    throw invalidOption("username", "must be given with password, and have no colon");
  }
  if (typeof password !== "string") throw invalidOption("password", "must be given with username");
  const pair = Buffer.from(`${username}:${password}`, "utf8").toString("base64");
  return { authorization: `Basic ${pair}`, credentials: "username and password" };
}
