import { setTimeout as sleep } from "node:timers/promises";
import { callEngine } from "../../../scripts/images/engine.mjs";

/** What a container may do in the strictest of clusters: nothing but write to its volume. */
export const lockedDown = {
  ReadonlyRootfs: true,
  CapDrop: ["ALL"],
  SecurityOpt: ["no-new-privileges"],
  Memory: 256 * 1024 * 1024,
  // No swap beside it.
  MemorySwap: 256 * 1024 * 1024,
  PidsLimit: 64,
  Tmpfs: { "/tmp": "rw,noexec,nosuid,size=16m" },
};

export interface ContainerState {
  readonly Status: string;
  readonly Running: boolean;
  readonly OOMKilled: boolean;
  readonly ExitCode: number;
  readonly Health?: { readonly Status: string; readonly Log: { readonly Output: string }[] };
}

interface Inspected {
  readonly State: ContainerState;
  readonly Config: { readonly User: string; readonly Labels: Record<string, string> };
  readonly NetworkSettings: { readonly Networks: Record<string, { readonly IPAddress: string }> };
}

/** One container on the engine at `socket`, from its making to its removal. */
export class Container {
  readonly id: string;
  readonly #socket: string;

  private constructor(socket: string, id: string) {
    this.#socket = socket;
    this.id = id;
  }

  static async create(socket: string, spec: { readonly Image: string } & object): Promise<Container> {
    const { Id: id } = (
      await callEngine(socket, "/containers/create", { method: "POST", body: spec })
    ).json();
    return new Container(socket, id);
  }

  async start(): Promise<void> {
    await this.#post("start");
  }

  /** Resolves when it has ended, to its exit code. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<number> {
    await this.#post(`kill?signal=${signal}`);
    const { bytes } = await this.#post("wait");
    return JSON.parse(bytes.toString()).StatusCode;
  }

  async inspect(): Promise<Inspected> {
    return (await callEngine(this.#socket, `/containers/${this.id}/json`)).json();
  }

  async address(): Promise<string> {
    const [network] = Object.values((await this.inspect()).NetworkSettings.Networks);
    return network?.IPAddress ?? "";
  }

  /** Resident memory that is not a copy of a file, in bytes. */
  async memoryBytes(): Promise<number> {
    const path = `/containers/${this.id}/stats?stream=false&one-shot=true`;
    const { stats = {} } = (await callEngine(this.#socket, path)).json().memory_stats;
    return stats.total_rss ?? stats.anon ?? 0;
  }

  /** What it wrote, without the engine's frames. */
  async log(): Promise<string> {
    const path = `/containers/${this.id}/logs?stdout=1&stderr=1`;
    const { bytes } = await callEngine(this.#socket, path);
    const lines: string[] = [];
    for (let at = 0; at + 8 <= bytes.length; ) {
      const end = at + 8 + bytes.readUInt32BE(at + 4);
      lines.push(bytes.toString("utf8", at + 8, end));
      at = end;
    }
    return lines.join("");
  }

  /** The output and exit code of a program inside. */
  async run(...command: string[]): Promise<{ readonly code: number; readonly text: string }> {
    const body = { AttachStdout: true, AttachStderr: true, Tty: true, Cmd: command };
    const { Id: id } = (await this.#post("exec", body)).json();
    const started = await callEngine(this.#socket, `/exec/${id}/start`, {
      method: "POST",
      body: { Detach: false, Tty: true },
    });
    const { ExitCode: code } = (await callEngine(this.#socket, `/exec/${id}/json`)).json();
    return { code, text: started.bytes.toString() };
  }

  async remove(): Promise<void> {
    await callEngine(this.#socket, `/containers/${this.id}?force=1&v=1`, { method: "DELETE" });
  }

  #post(path: string, body?: object): ReturnType<typeof callEngine> {
    return callEngine(this.#socket, `/containers/${this.id}/${path}`, { method: "POST", body });
  }
}

export async function until(what: string, isSo: () => Promise<boolean>, limitMs = 40_000): Promise<void> {
  for (const end = performance.now() + limitMs; ; await sleep(25)) {
    if (await isSo()) return;
    if (performance.now() > end) throw new Error(`${what}: not within ${limitMs} ms`);
  }
}
