import { deployerKit, describeKit } from "@modelgate/core/testing";
import { afterAll, beforeAll, describe, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { dockerDeployer } from "../../src/deployer/index.ts";
import { kitFixture, makeNetwork } from "./fixture.ts";
import { Api } from "./support/api.ts";
import { exitCodeOf } from "./support/closing-process.ts";
import { engine } from "./support/engine.ts";
import { EngineProxy } from "./support/proxy.ts";

/** By TLS only what a connection can have a part in, unless the long form is asked for. */
const ABOUT_CONNECTIONS = /\bcomes\b|listed|watch|follow|reading|prepare|pull|close|signal|byte for byte/;
const isLong = process.env["MODELGATE_DOCKER_LONG"] === "1";
const overTls = {
  ...deployerKit,
  tests: deployerKit.tests.filter(({ name }) => isLong || ABOUT_CONNECTIONS.test(name)),
};

const socket = requireService("DOCKER_SOCKET");

describe.skipIf(socket === undefined)("on a real engine", () => {
  let network: Awaited<ReturnType<typeof makeNetwork>>;
  beforeAll(async () => {
    network = await makeNetwork(new Api(engine.socketPath));
  });
  afterAll(async () => await network?.remove());

  describeKit({ describe, it }, deployerKit, "dockerDeployer over a socket", async () => {
    const proxy = await EngineProxy.start(engine.socketPath);
    const options = { socketPath: proxy.socketPath, network: network.name, timeoutMs: 3000 };
    const fixture = kitFixture(options);
    const { registry } = fixture;
    return {
      ...fixture,
      registry: registry && {
        ...registry,
        pulls: (image) =>
          proxy.asked.filter(
            ({ path, query }) =>
              path === "/images/create" && image === `${query.get("fromImage")}:${query.get("tag")}`,
          ).length,
      },
      async interrupt(meanwhile) {
        proxy.goAway();
        await meanwhile();
        proxy.mode = "passing";
      },
      held: () => proxy.connections,
      processThatCloses: () => exitCodeOf(engine.socketPath),
      async close() {
        await fixture.close();
        await proxy.close();
      },
    };
  });

  describeKit({ describe, it }, overTls, "dockerDeployer over TLS", () =>
    kitFixture({ ...engine.overTls, network: network.name }),
  );

  it("a deployer that was never used closes", async () => {
    await dockerDeployer({ socketPath: "/no/such/socket" }).close();
  });
});
