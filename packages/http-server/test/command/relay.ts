import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Stands before a service, which is away while this is. */
export interface Relay {
  readonly port: number;
  /** The same address with this host and port. */
  address(url: string): string;
  down(): Promise<void>;
  up(): Promise<void>;
}

/** Begins as a service that is not there. */
export async function openRelay(target: string): Promise<Relay> {
  const { hostname, port: targetPort } = new URL(target);
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  const make = (): Server =>
    createServer((near) => {
      const far = connect(Number(targetPort), hostname);
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(one);
        one.on("error", () => {});
        one.on("close", () => {
          sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
  const listen = async (port: number): Promise<number> => {
    server = make().listen(port, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  };
  const down = async (): Promise<void> => {
    const closed = server === undefined ? undefined : once(server, "close");
    server?.close();
    server = undefined;
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  const port = await listen(0);
  await down();
  return {
    port,
    address(url) {
      const own = new URL(url);
      own.host = `127.0.0.1:${port}`;
      return own.href;
    },
    down,
    async up() {
      if (server === undefined) await listen(port);
    },
  };
}
