import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ObjectStore } from "../../src/contracts/object-store.ts";
import { memoryObjectStore } from "../../src/memory/object-store.ts";
import type { ObjectStoreFixture } from "../../src/testing/object-store-kit/fixture.ts";

/** A memory store whose objects have addresses, which `isGood` decides on. */
export async function openWithAddresses(
  isGood: (expiresAtMs: number) => boolean = (expiresAtMs) => Date.now() < expiresAtMs,
): Promise<ObjectStoreFixture> {
  const good = memoryObjectStore();
  const addresses = new Map<string, { readonly key: string; readonly expiresAtMs: number }>();
  const server = createServer(async (request, response) => {
    const address = addresses.get(request.url ?? "");
    const found = address && isGood(address.expiresAtMs) ? await good.get(address.key) : undefined;
    if (found === undefined) response.writeHead(403).end();
    else await pipeline(Readable.from(found.body), response).catch(() => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const objects: ObjectStore = {
    ...good,
    capabilities: { ...good.capabilities, presign: true },
    async presign(key, expiresInMs, options) {
      await good.stat(key, options);
      const path = `/${randomUUID()}`;
      addresses.set(path, { key, expiresAtMs: Date.now() + expiresInMs });
      return `http://127.0.0.1:${port}${path}`;
    },
  };
  return {
    objects,
    async close() {
      await good.close();
      server.closeAllConnections();
      server.close();
    },
  };
}
