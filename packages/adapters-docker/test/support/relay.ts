import { once } from "node:events";
import { rmSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unique } from "./test-engine.ts";

/** A socket that leads to an engine's, whose connections can be counted, cut and held up. */
export class Relay {
  readonly socketPath: string = join(tmpdir(), `${unique("relay")}.sock`);
  readonly #target: string;
  readonly #connections = new Set<Socket>();
  readonly #streams = new Set<Socket>();
  readonly #silent = new Set<Socket>();
  #server: Server | undefined;
  #isHeldUp = false;

  constructor(target: string) {
    this.#target = target;
  }

  static async to(target: string): Promise<Relay> {
    const relay = new Relay(target);
    await relay.open();
    return relay;
  }

  get connections(): number {
    return this.#connections.size;
  }

  async open(): Promise<void> {
    this.#server = createServer((client) => this.#join(client));
    this.#server.listen(this.socketPath);
    await once(this.#server, "listening");
  }

  /** As when the engine goes away: what is open breaks, and nothing new is taken. */
  async cut(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    const closed = server && once(server, "close");
    server?.close();
    for (const connection of this.#connections) connection.destroy();
    await closed;
    rmSync(this.socketPath, { force: true });
  }

  /** As when an engine hangs: what is open stays open and is silent; new ones are taken and are silent too. */
  holdUp(): void {
    this.#isHeldUp = true;
  }

  async close(): Promise<void> {
    await this.cut();
  }

  /** Connections that carry events now fall silent; nobody is told. */
  silenceStreams(): void {
    for (const connection of this.#streams) this.#silent.add(connection);
  }

  #join(client: Socket): void {
    const engine = createConnection(this.#target);
    this.#connections.add(client);
    const end = (): void => {
      for (const set of [this.#connections, this.#streams, this.#silent]) set.delete(client);
      client.destroy();
      engine.destroy();
    };
    for (const socket of [client, engine]) {
      socket.on("error", end);
      socket.on("close", end);
    }
    client.on("data", (data) => {
      if (data.includes("/events?")) this.#streams.add(client);
      if (!this.#isHeldUp) engine.write(data);
    });
    engine.on("data", (data) => {
      if (!this.#isHeldUp && !this.#silent.has(client)) client.write(data);
    });
  }
}
