import { Agent } from "node:http";
import type { ObjectStore } from "@modelgate/core";
import { describeKit, type ObjectStoreFixture, objectStoreKit } from "@modelgate/core/testing";
import { Client } from "minio";
import { afterAll, beforeAll, describe, it } from "vitest";
import { s3ObjectStore } from "../../src/s3/index.ts";
import { exitCodeOf, objectsElsewhere } from "./kit-process.ts";
import { type Bucket, connectionsTo, makeBucket, s3Servers } from "./servers.ts";

const servers = s3Servers();

describe.skipIf(servers.length === 0)("on a real server", () => {
  for (const server of servers) {
    let bucket: Bucket;
    beforeAll(async () => {
      bucket = await makeBucket(server);
    });
    afterAll(async () => await bucket?.remove());

    const fixtureOf = (
      objects: ObjectStore,
      prefix: string,
    ): ObjectStoreFixture & { opened: ObjectStore[] } => {
      const opened = [objects];
      const keep = (store: ObjectStore): ObjectStore => {
        opened.push(store);
        return store;
      };
      const options = bucket.options({ prefix });
      return {
        opened,
        objects,
        another: async () => keep(await objectsElsewhere(options)),
        async reopen() {
          await objects.close();
          return keep(s3ObjectStore(options));
        },
        processThatCloses: () => exitCodeOf(options),
        async close() {
          for (const store of opened) await store.close();
        },
      };
    };

    describeKit({ describe, it }, objectStoreKit, server.name, () => {
      const options = bucket.options();
      const objects = s3ObjectStore(options);
      const held = (): number => connectionsTo(server.endpoint);
      return { ...fixtureOf(objects, options.prefix ?? ""), held };
    });

    describeKit({ describe, it }, objectStoreKit, `${server.name}, with a client handed in`, () => {
      const { hostname, port } = new URL(server.endpoint);
      const { accessKey, secretKey } = server;
      const transportAgent = new Agent({ keepAlive: true });
      const client = new Client({
        endPoint: hostname,
        port: Number(port),
        useSSL: false,
        accessKey,
        secretKey,
        transportAgent,
      });
      const { bucket: name, prefix = "" } = bucket.options();
      const fixture = fixtureOf(s3ObjectStore({ client, bucket: name, prefix }), prefix);
      return {
        ...fixture,
        held: () => Object.values(transportAgent.sockets).flat().length,
        async handedIn() {
          await client.bucketExists(name);
        },
        async close() {
          await fixture.close();
          transportAgent.destroy();
        },
      };
    });
  }
});
