import type { Readable } from "node:stream";
import type Dockerode from "dockerode";

export interface EngineEvent {
  readonly action: string;
  readonly id: string;
  readonly model: string;
  readonly generation: string;
  readonly atMs: number;
}

interface RawEvent {
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly timeNano: number;
}

/** What the engine itself says happened to containers with a label, while it is read. */
export class EngineDiary {
  readonly events: EngineEvent[] = [];
  readonly #stream: Readable;

  private constructor(stream: Readable) {
    this.#stream = stream;
    let unfinished = "";
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => {
      const lines = (unfinished + chunk.toString()).split("\n");
      unfinished = lines.pop() ?? "";
      for (const line of lines) if (line !== "") this.#take(JSON.parse(line) as RawEvent);
    });
  }

  static async open(docker: Dockerode, label: string): Promise<EngineDiary> {
    const filters = { type: ["container"], label: [label] };
    return new EngineDiary(
      (await docker.getEvents({ filters: JSON.stringify(filters) })) as unknown as Readable,
    );
  }

  of(model: string): readonly EngineEvent[] {
    return this.events.filter((event) => event.model === model);
  }

  /** Containers that were made for each deployment of a model. */
  creates(model: string): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const { action, generation } of this.of(model)) {
      if (action === "create") counts[generation] = (counts[generation] ?? 0) + 1;
    }
    return counts;
  }

  /** How many containers of a model ran at once at most. */
  mostAtOnce(model: string): number {
    const running = new Set<string>();
    let most = 0;
    for (const { action, id } of this.of(model)) {
      if (action === "start") running.add(id);
      if (action === "die") running.delete(id);
      most = Math.max(most, running.size);
    }
    return most;
  }

  close(): void {
    this.#stream.destroy();
  }

  #take({ Action, Actor, timeNano }: RawEvent): void {
    const { name = "", "modelgate.generation": generation = "" } = Actor.Attributes;
    this.events.push({
      ...{ action: Action, id: Actor.ID, generation, atMs: timeNano / 1e6 },
      model: Actor.Attributes["modelgate.model"] ?? name,
    });
  }
}
