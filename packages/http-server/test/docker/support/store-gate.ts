import { once } from "node:events";
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from "node:net";
import type { Trap, Traps } from "./trap.ts";

/** Stands between one gateway and PostgreSQL, and sees what is written of deployments. */
export class StoreGate {
  readonly #target: URL;
  readonly #member: number;
  readonly #traps: Traps;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: string, member: number, traps: Traps) {
    this.#target = new URL(target);
    this.#member = member;
    this.#traps = traps;
    this.#server = createServer((client) => this.#join(client));
  }

  static async open(target: string, member: number, traps: Traps): Promise<StoreGate> {
    const gate = new StoreGate(target, member, traps);
    gate.#server.listen(0, "127.0.0.1");
    await once(gate.#server, "listening");
    return gate;
  }

  get url(): string {
    const url = new URL(this.#target);
    url.host = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return url.href;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(client: Socket): void {
    const store = createConnection(Number(this.#target.port), this.#target.hostname);
    const end = (): void => {
      for (const socket of [client, store]) {
        this.#sockets.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of [client, store]) {
      this.#sockets.add(socket);
      socket.on("error", end);
      socket.on("close", end);
    }
    let answering: Trap | undefined;
    const holdUp = async (trap: Trap, from: Socket, to: Socket, data: Buffer): Promise<void> => {
      from.pause();
      const goesOn = await trap.hold(this.#member);
      if (!goesOn) return end();
      to.write(data);
      from.resume();
    };
    client.on("data", (data: Buffer) => {
      const trap = this.#traps.current;
      const text = bookIn(data);
      if (text === undefined || trap === undefined) return store.write(data);
      if (trap.takes("store", "before", text)) return void holdUp(trap, client, store, data);
      if (trap.takes("store", "after", text)) answering = trap;
      return store.write(data);
    });
    store.on("data", (data: Buffer) => {
      if (answering === undefined) return client.write(data);
      const trap = answering;
      answering = undefined;
      return void holdUp(trap, store, client, data);
    });
  }
}

/** The book of deployments in a message that writes it; a message as short as this one comes in one piece. */
function bookIn(data: Buffer): string | undefined {
  const text = data.includes("deployments/book") ? data.toString("utf8") : "";
  return text.includes('"entries":[') ? text : undefined;
}
