// A socket that leads to an engine's and counts what is asked of it, in a process other than the one that is measured.
import { rmSync } from "node:fs";
import { createConnection, createServer } from "node:net";

const REQUEST = /^(?:GET|POST|DELETE|HEAD) (?:\/v[\d.]+)?([^ ?]+)/;

export async function openRelay(target, name) {
  const socket = `${target}.${name}`;
  const counts = {};
  const server = createServer((client) => {
    const engine = createConnection(target);
    for (const [from, to] of [
      [client, engine],
      [engine, client],
    ]) {
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
      from.pipe(to);
    }
    // Whoever asks waits for the answer before it asks again, so that a request begins with a chunk.
    client.on("data", (chunk) => {
      const path = REQUEST.exec(chunk.subarray(0, 500).toString("latin1"))?.[1];
      if (path === undefined) return;
      const kind = path.replace(/[0-9a-f]{64}/, "ID");
      counts[kind] = (counts[kind] ?? 0) + 1;
    });
  });
  await new Promise((resolve) => server.listen(socket, resolve));
  return {
    socket,
    counts: () => ({ ...counts }),
    close() {
      server.close();
      rmSync(socket, { force: true });
    },
  };
}
