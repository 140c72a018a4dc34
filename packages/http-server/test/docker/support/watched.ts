import type { Api, Inspected } from "../../../../adapters-docker/test/deployer/support/api.ts";

/** Where containers of some tests are. */
export interface Place {
  readonly api: Api;
  /** Their compose project. */
  readonly id: string;
}

interface Listed {
  readonly Id: string;
  readonly Names: readonly string[];
}

export interface State {
  readonly id: string;
  readonly startedAt: string;
  readonly status: string;
}

/** What the engine itself says of the containers of one place, by which gateways are judged. */
export class Watched {
  readonly #api: Api;
  readonly #project: string;
  readonly #sinceSeconds: number = Math.floor(Date.now() / 1000) - 1;

  constructor({ api, id }: Place) {
    this.#api = api;
    this.#project = `com.docker.compose.project=${id}`;
  }

  async names(): Promise<string[]> {
    return (await this.#list()).map(({ Names: [name = ""] }) => name.slice(1)).sort();
  }

  async inspect(nameOrId: string): Promise<Inspected> {
    return await this.#api.inspect(nameOrId);
  }

  /** What must be the same before and after for a container to count as left alone. */
  async state(nameOrId: string): Promise<State> {
    const { Id, State } = await this.inspect(nameOrId);
    return { id: Id, startedAt: State.StartedAt, status: State.Status };
  }

  async states(): Promise<State[]> {
    const all = await Promise.all((await this.#list()).map(({ Id }) => this.state(Id)));
    return all.sort((one, two) => (one.id < two.id ? -1 : 1));
  }

  /** Where a container answers. */
  async addressOf(nameOrId: string): Promise<string> {
    const { NetworkSettings } = await this.inspect(nameOrId);
    const [network] = Object.values(NetworkSettings.Networks);
    return `http://${network?.IPAddress}:8000`;
  }

  /** How many containers of a name were made, by the engine's own log of events. */
  async created(name: string): Promise<number> {
    return (await this.#events(name, "create")).length;
  }

  async #events(name: string, action: string): Promise<readonly string[]> {
    const filters = { type: ["container"], event: [action], label: [this.#project], container: [name] };
    const query = new URLSearchParams({
      since: `${this.#sinceSeconds}`,
      until: `${(Date.now() / 1000).toFixed(3)}`,
      filters: JSON.stringify(filters),
    });
    const { body } = await this.#api.call("GET", `/events?${query}`);
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return text.split("\n").filter((line) => line.trim() !== "" && line.trim() !== '""');
  }

  async #list(): Promise<Listed[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: [this.#project] }));
    return await this.#api.need<Listed[]>("GET", `/containers/json?all=1&filters=${filters}`);
  }
}
