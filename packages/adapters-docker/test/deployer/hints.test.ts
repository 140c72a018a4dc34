import { describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { serverSpec } from "./fixture.ts";
import { Bench, until } from "./support/bench.ts";

const socket = requireService("DOCKER_SOCKET");

describe.skipIf(socket === undefined)("a hint", () => {
  it("of a server's death comes when a listing shows it", async () => {
    const bench = new Bench();
    const server = await bench.run(serverSpec());
    const states: Promise<string | undefined>[] = [];
    bench.deployer.watch(bench.installation, () => {
      states.push(bench.list().then((servers) => servers.find(({ id }) => id === server.id)?.state));
    });
    await until("it is watched", () => states.length === 1);
    await bench.api.need("POST", `/containers/${server.id}/kill`);
    await until("a hint is heard", () => states.length > 1);
    // Nothing happens after a death by a kill: whoever listed too early would not look again.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await states.at(-1)).toBe("stopped");
  });
});
