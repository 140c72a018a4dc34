export interface MlflowOptions {
  /** Where the tracking server is, such as `http://mlflow:5000`. */
  url: string;
  username?: string | undefined;
  password?: string | undefined;
  /** Sent as `Authorization: Bearer`, instead of name and password. */
  token?: string | undefined;
  /** For one call. Default 5000. */
  timeoutMs?: number | undefined;
  /** Refuses a training when MLflow is away, as CMS does. Default false: it goes on in memory. */
  isRequired?: boolean | undefined;
}

/** What MLflow answered when it refused, or `undefined` as status when there was no answer of it. */
export class MlflowError extends Error {
  readonly status: number | undefined;
  readonly code: string | undefined;

  constructor(status: number | undefined, code: string | undefined) {
    super(status === undefined ? "MLflow does not answer." : `MLflow answered ${code ?? status}.`);
    this.name = "MlflowError";
    this.status = status;
    this.code = code;
  }

  /** Whether the same call may go well later. */
  get isPassing(): boolean {
    return this.status === undefined || this.status >= 500 || this.status === 429;
  }
}

export type Json = Record<string, unknown>;

/** The few calls of MLflow's REST API that a model server needs. */
export class MlflowClient {
  readonly #base: string;
  readonly #headers: Record<string, string>;
  readonly #timeoutMs: number;

  constructor({ url, username, password, token, timeoutMs = 5_000 }: MlflowOptions) {
    this.#base = url.replace(/\/+$/, "");
    this.#timeoutMs = timeoutMs;
    const basic = Buffer.from(`${username ?? ""}:${password ?? ""}`).toString("base64");
    if (token !== undefined) this.#headers = { authorization: `Bearer ${token}` };
    else this.#headers = username === undefined ? {} : { authorization: `Basic ${basic}` };
  }

  async get(path: string, query: Readonly<Record<string, string>>): Promise<Json> {
    return this.#json(`/api/2.0/mlflow/${path}?${new URLSearchParams(query)}`, { method: "GET" });
  }

  async post(path: string, body: Json): Promise<Json> {
    const headers = { "content-type": "application/json" };
    return this.#json(`/api/2.0/mlflow/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  }

  /** Puts a file among a run's artifacts, where the tracking server serves them. */
  async putArtifact(artifactUri: string, path: string, content: string): Promise<void> {
    const folder = /^mlflow-artifacts:\/(?:\/[^/]*\/)?(.*)$/.exec(artifactUri)?.[1];
    if (folder === undefined) throw new MlflowError(501, "ARTIFACTS_NOT_SERVED");
    const target = `${folder}/${path}`.split("/").map(encodeURIComponent).join("/");
    await this.#json(`/api/2.0/mlflow-artifacts/artifacts/${target}`, { method: "PUT", body: content });
  }

  async #json(path: string, init: RequestInit): Promise<Json> {
    let response: Response;
    let text: string;
    try {
      response = await fetch(this.#base + path, {
        ...init,
        headers: { ...this.#headers, ...(init.headers as Record<string, string> | undefined) },
        signal: AbortSignal.timeout(this.#timeoutMs),
      });
      text = await response.text();
    } catch {
      throw new MlflowError(undefined, undefined);
    }
    let body: unknown;
    try {
      body = text === "" ? {} : JSON.parse(text);
    } catch {
      // A proxy's page, or a refusal in words: what was asked for it is not.
      throw new MlflowError(response.ok ? 502 : response.status, undefined);
    }
    const answer = (typeof body === "object" && body !== null ? body : {}) as Json;
    if (response.ok) return answer;
    const code = answer["error_code"];
    throw new MlflowError(response.status, typeof code === "string" ? code : undefined);
  }
}
