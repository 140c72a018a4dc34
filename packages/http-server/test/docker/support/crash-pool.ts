import { Cluster, type MemberKind } from "./cluster.ts";
import { type OwnImage, pushImage } from "./own-image.ts";

export interface CrashPoolOptions {
  readonly enginePath: string;
  readonly postgresUrl: string;
  /** Of those that take the steps: so many clusters, in which one life after the other is lived. */
  readonly kinds: readonly MemberKind[];
}

/** Clusters that are waiting most of the time, so that several of them have room on one machine. */
export class CrashPool {
  readonly #all: readonly Cluster[];
  readonly #free: Map<MemberKind, Cluster[]>;
  readonly #waiting: (() => void)[] = [];
  readonly #image: OwnImage;

  private constructor(image: OwnImage, clusters: readonly (readonly [MemberKind, Cluster])[]) {
    this.#image = image;
    this.#all = clusters.map(([, cluster]) => cluster);
    this.#free = new Map();
    for (const [kind, cluster] of clusters) this.#free.set(kind, [...(this.#free.get(kind) ?? []), cluster]);
  }

  static async open({ enginePath, postgresUrl, kinds }: CrashPoolOptions): Promise<CrashPool> {
    const image = await pushImage(enginePath);
    const clusters = await Promise.all(
      kinds.map(async (kind) => {
        const cluster = await Cluster.open({
          ...{ enginePath, postgresUrl, image: image.name },
          members: ["front", kind, kind],
          serverArgs: ["--process-ms", "100"],
          // Always, so that there is a pull on the way.
          settings: { docker: image.settings, cms: { pull: "always" } },
        });
        return [kind, cluster] as const;
      }),
    );
    return new CrashPool(image, clusters);
  }

  /** Gives a cluster of this kind to `work` alone, once one is free. */
  async use(kind: MemberKind, work: (cluster: Cluster) => Promise<void>): Promise<void> {
    const free = this.#free.get(kind) ?? [];
    let cluster = free.pop();
    while (cluster === undefined) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      cluster = free.pop();
    }
    try {
      await work(cluster);
    } catch (error) {
      console.log(cluster.report());
      throw error;
    } finally {
      free.push(cluster);
      for (const wake of this.#waiting.splice(0)) wake();
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((cluster) => cluster.close()));
    await this.#image.remove();
  }
}
