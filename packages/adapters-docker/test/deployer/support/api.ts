import { randomBytes } from "node:crypto";
import { request } from "node:http";

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** The engine as somebody else speaks to it, with nothing of ours between. */
export class Api {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const text = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      const sent = request(
        {
          socketPath: this.#socketPath,
          method,
          path: `/v1.41${path}`,
          headers: { host: "engine", "content-type": "application/json", ...headers },
          agent: false,
        },
        (response) => {
          response.setEncoding("utf8");
          let received = "";
          response.on("data", (piece: string) => {
            received += piece;
          });
          response.on("end", () => resolve({ status: response.statusCode ?? 0, text: received }));
          response.on("error", reject);
        },
      );
      sent.on("error", reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
    try {
      return { status: text.status, body: JSON.parse(text.text) };
    } catch {
      return { status: text.status, body: text.text };
    }
  }

  /** As `call`; throws unless the engine says yes. */
  async need<T>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<T> {
    const answer = await this.call(method, path, body, headers);
    if (answer.status >= 200 && answer.status < 400) return answer.body as T;
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }

  async inspect<T = Inspected>(id: string): Promise<T> {
    return await this.need<T>("GET", `/containers/${id}/json`);
  }

  /** Makes and starts a container that no deployer knows. */
  async run(name: string, body: object): Promise<string> {
    const { Id } = await this.need<{ Id: string }>("POST", `/containers/create?name=${name}`, body);
    await this.need("POST", `/containers/${Id}/start`);
    return Id;
  }

  async removeContainer(id: string): Promise<void> {
    const { status, body } = await this.call("DELETE", `/containers/${id}?force=1&v=1`);
    if (status !== 204 && status !== 404) throw new Error(`DELETE ${id}: ${status} ${JSON.stringify(body)}`);
  }

  /** Removes every container that one of the filters finds. */
  async removeAll(filters: Readonly<Record<string, readonly string[]>>): Promise<void> {
    const query = encodeURIComponent(JSON.stringify(filters));
    const found = await this.need<{ Id: string }[]>("GET", `/containers/json?all=1&filters=${query}`);
    await Promise.all(found.map(({ Id }) => this.removeContainer(Id)));
  }
}

export interface Inspected {
  readonly Id: string;
  readonly Name: string;
  readonly Image: string;
  readonly State: { readonly Status: string; readonly Running: boolean; readonly StartedAt: string };
  readonly Config: Readonly<Record<string, unknown>> & { readonly Labels: Readonly<Record<string, string>> };
  readonly HostConfig: Readonly<Record<string, unknown>>;
  readonly Mounts: readonly Readonly<Record<string, unknown>>[];
  readonly NetworkSettings: {
    readonly Networks: Readonly<
      Record<string, { readonly IPAddress: string; readonly Aliases: string[] | null }>
    >;
    readonly Ports: Readonly<Record<string, { readonly HostIp: string; readonly HostPort: string }[] | null>>;
  };
}

/** A name that no other test has. */
export function unique(prefix: string): string {
  return `${prefix}-${randomBytes(5).toString("hex")}`;
}
