import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Stands between a client and a real server, and fails as networks do. */
export interface TcpProxy {
  readonly port: number;
  /** The same address with the proxy in the server's place. */
  through(url: string): string;
  /** Connections that are open now. */
  readonly open: number;
  /**
   * `forget`: nothing passes any more, and nobody is told. `keep-answers`: nothing comes back. `refuse`: new ones end
   * at once.
   */
  mode: "pass" | "forget" | "keep-answers" | "refuse";
  /** So many answers of PostgreSQL that a transaction was committed are lost, and their connections with them. */
  commitsToLose: number;
  /** Breaks every connection. */
  cut(): void;
  close(): Promise<void>;
}

/** The tag of a completed command, which ends with a zero byte. */
const COMMITTED = "COMMIT\0";

export async function tcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let open = 0;
  const server = createServer((near) => {
    if (proxy.mode === "refuse") {
      near.destroy();
      return;
    }
    const far = connect(Number(port), hostname);
    open += 1;
    near.once("close", () => {
      open -= 1;
    });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.on("data", (chunk) => {
        if (proxy.mode === "forget" || (proxy.mode === "keep-answers" && from === far)) return;
        if (from === far && proxy.commitsToLose > 0 && chunk.includes(COMMITTED)) {
          proxy.commitsToLose -= 1;
          near.destroy();
          return;
        }
        to.write(chunk);
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const own = (server.address() as AddressInfo).port;
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const proxy: TcpProxy = {
    port: own,
    through(url) {
      const changed = new URL(url);
      changed.port = `${own}`;
      return changed.href;
    },
    get open() {
      return open;
    },
    mode: "pass",
    commitsToLose: 0,
    cut,
    async close() {
      const closed = once(server, "close");
      server.close();
      cut();
      await closed;
    },
  };
  return proxy;
}
