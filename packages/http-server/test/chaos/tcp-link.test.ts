import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TcpLink } from "./tcp-link.ts";

describe("a link", () => {
  let server: Server;
  let link: TcpLink;
  const clients: Socket[] = [];

  beforeEach(async () => {
    server = createServer((socket) => {
      socket.on("error", () => {});
      socket.pipe(socket);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    link = new TcpLink({ name: "echo", target: { host: "127.0.0.1", port } });
    await link.open();
  });

  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy();
    link.close();
    server.close();
  });

  async function dial(): Promise<Socket> {
    const client = connect({ host: "127.0.0.1", port: link.port });
    clients.push(client);
    await once(client, "connect");
    return client;
  }

  /** The bytes that came back, and how long they took. */
  async function echo(client: Socket, bytes: Buffer): Promise<{ readonly got: Buffer; readonly ms: number }> {
    const startedMs = performance.now();
    client.write(bytes);
    const chunks: Buffer[] = [];
    let count = 0;
    while (count < bytes.byteLength) {
      const [chunk] = (await once(client, "data")) as [Buffer];
      chunks.push(chunk);
      count += chunk.byteLength;
    }
    return { got: Buffer.concat(chunks), ms: performance.now() - startedMs };
  }

  it("hands on every byte in order", async () => {
    const bytes = Buffer.alloc(3_000_000);
    for (let at = 0; at < bytes.byteLength; at += 4) bytes.writeUInt32BE(at, at);
    const { got } = await echo(await dial(), bytes);
    expect(got.equals(bytes)).toBe(true);
  });

  it("is slow, and narrow, for as long as it is told", async () => {
    const client = await dial();
    link.change({ delayMs: 100 });
    expect((await echo(client, Buffer.from("x"))).ms).toBeGreaterThan(190);
    link.heal();
    link.change({ bytesPerSecond: 20_000 });
    expect((await echo(client, Buffer.alloc(10_000))).ms).toBeGreaterThan(350);
    link.heal();
    expect((await echo(client, Buffer.alloc(10_000))).ms).toBeLessThan(200);
  });

  it("lets nothing pass while it stalls, and all of it afterwards", async () => {
    const client = await dial();
    link.change({ isStalled: true });
    const echoed = echo(client, Buffer.from("held"));
    setTimeout(() => link.heal(), 150);
    const { got, ms } = await echoed;
    expect(got.toString()).toBe("held");
    expect(ms).toBeGreaterThan(140);
  });

  it("resets what stands when it is cut, refuses when it is told to, and comes back at its port", async () => {
    const client = await dial();
    await echo(client, Buffer.from("x"));
    const { port } = link;
    const failed = once(client, "error");
    link.cut();
    expect((await failed)[0]).toMatchObject({ code: "ECONNRESET" });
    link.refuse();
    const refused = connect({ host: "127.0.0.1", port });
    expect((await once(refused, "error"))[0]).toMatchObject({ code: "ECONNREFUSED" });
    await link.open();
    expect(link.port).toBe(port);
    expect((await echo(await dial(), Buffer.from("again"))).got.toString()).toBe("again");
  });
});
