import type { KilledGateway } from "../../../packages/http-server/test/kill/gateway-process.ts";
import { Container, lockedDown, until } from "./engine.ts";

export interface GatewayContainerOptions {
  readonly socket: string;
  readonly image: string;
  /** Kept over all ends; the engine makes it at the first start. */
  readonly volume: string;
  readonly modelUrl: string;
}

/**
 * `modelgate serve` as the first process of a container that is locked down, killed and started again. As in a pod, the
 * network belongs to a container of its own: the address stays, and whoever is connected notices the end at once.
 */
export class GatewayContainer implements KilledGateway {
  isUp = false;
  readonly url: string;
  readonly container: Container;
  readonly #network: Container;
  #started: Promise<void> = Promise.resolve();

  private constructor(container: Container, network: Container, url: string) {
    this.container = container;
    this.#network = network;
    this.url = url;
  }

  static async create({
    socket,
    image,
    volume,
    modelUrl,
  }: GatewayContainerOptions): Promise<GatewayContainer> {
    const network = await Container.create(socket, { Image: process.env["DOCKER_TEST_IMAGE"] ?? "" });
    await network.start();
    const container = await Container.create(socket, {
      Image: image,
      Cmd: ["serve", "--server", `nlp=${modelUrl}`, "--log-level", "warn"],
      // The check is the image's own, only more often.
      Healthcheck: { Interval: 500_000_000 },
      HostConfig: { ...lockedDown, NetworkMode: `container:${network.id}`, Binds: [`${volume}:/data`] },
    });
    return new GatewayContainer(container, network, `http://${await network.address()}:8888`);
  }

  start(): { readonly listening: Promise<boolean> } {
    const started = this.container.start();
    this.#started = started;
    return { listening: started.then(() => this.#listens()) };
  }

  async #listens(): Promise<boolean> {
    let hasEnded = false;
    await until("the gateway listens", async () => {
      const answer = await fetch(`${this.url}/health`, { signal: AbortSignal.timeout(500) }).catch(() => {});
      this.isUp = answer?.ok ?? false;
      hasEnded = !this.isUp && !(await this.container.inspect()).State.Running;
      return this.isUp || hasEnded;
    });
    return this.isUp;
  }

  async startAndListen(): Promise<void> {
    if (!(await this.start().listening)) throw new Error(`it did not start:\n${await this.container.log()}`);
  }

  async kill(): Promise<void> {
    this.isUp = false;
    await this.#started;
    await this.container.end("SIGKILL");
  }

  async stop(): Promise<number> {
    this.isUp = false;
    return await this.container.end("SIGTERM");
  }

  async remove(): Promise<void> {
    await this.container.remove();
    await this.#network.remove();
  }
}
