import { expect, it } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { createGateway } from "../../src/gateway.ts";
import { memoryDiscovery, memoryLedger, memoryObjectStore } from "../../src/memory/index.ts";

const away = async (): Promise<never> => {
  throw new GatewayError("STORE_UNAVAILABLE", "it is away");
};

it("the health of a gateway is what its stores answer, each asked for something real", async () => {
  const ledger = memoryLedger();
  const objects = memoryObjectStore();
  const healthWith = async (parts: { ledger?: typeof ledger; objects?: typeof objects }) => {
    const gateway = createGateway({ discovery: memoryDiscovery(), ledger, objects, ...parts });
    await gateway.start();
    const health = await gateway.health();
    await gateway.stop({ drainMs: 0 });
    return health;
  };
  expect(await healthWith({})).toEqual({
    isHealthy: true,
    components: { ledger: "healthy", objects: "healthy", discovery: "healthy" },
  });
  const blind = { ...objects, get: away, put: away, stat: away, list: away, delete: away };
  expect(await healthWith({ objects: blind })).toMatchObject({
    isHealthy: false,
    components: { ledger: "healthy", objects: "unhealthy" },
  });
  expect(await healthWith({ ledger: { ...ledger, stats: away } })).toMatchObject({
    isHealthy: false,
    components: { ledger: "unhealthy", objects: "healthy" },
  });
});
