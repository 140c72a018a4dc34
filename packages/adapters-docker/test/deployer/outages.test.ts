import type { ServerSpec } from "@modelgate/core";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { pushedImage, SERVER, serverSpec, writerSpec } from "./fixture.ts";
import { Api } from "./support/api.ts";
import { Bench, errorOf, removeNetworks, until } from "./support/bench.ts";
import { engine } from "./support/engine.ts";
import { startEngine } from "./support/own-engine.ts";
import { type Asked, EngineProxy } from "./support/proxy.ts";

const socket = requireService("DOCKER_SOCKET");
const LOGGED = [{ stream: "stdout", text: "said" }] as const;

type Fault = ReturnType<EngineProxy["fault"]>;

async function proxied(options: object = {}): Promise<{ proxy: EngineProxy; bench: Bench }> {
  const proxy = await EngineProxy.start(engine.socketPath);
  onTestFinished(() => proxy.close());
  return { proxy, bench: new Bench(options, proxy.socketPath) };
}

/** The next call that fits goes wrong, once. */
function once(proxy: EngineProxy, method: string, path: RegExp, fault: Fault): void {
  proxy.fault = (asked: Asked) => {
    if (asked.method !== method || !path.test(asked.path)) return undefined;
    proxy.fault = () => undefined;
    return fault;
  };
}

async function linesOf(bench: Bench, id: string, follow: boolean = false): Promise<string[]> {
  const lines: string[] = [];
  const { installation } = bench;
  for await (const { text } of bench.deployer.logs(id, { installation, follow })) lines.push(text);
  return lines;
}

describe.skipIf(socket === undefined)("an engine that goes away", () => {
  afterAll(removeNetworks);

  const LOST = ["lose-request", "lose-answer"] as const;

  it.each(LOST)(
    "while a server is made: that is told, and the next try makes it or meets it (%s)",
    async (fault) => {
      const { proxy, bench } = await proxied();
      once(proxy, "POST", /create$/, fault);
      expect((await errorOf(bench.make(serverSpec()))).code).toBe("DEPLOYER_UNAVAILABLE");
      if (fault === "lose-request") await bench.make(serverSpec());
      else {
        const again = await errorOf(bench.make(serverSpec()));
        expect(again.code).toBe("NAME_TAKEN");
        expect(again.details["holder"]).toBe((await bench.list())[0]?.id);
      }
      expect(await bench.list()).toHaveLength(1);
    },
  );

  it.each(LOST)("while a server is started: that is told, and the next try succeeds (%s)", async (fault) => {
    const { proxy, bench } = await proxied();
    const { id } = await bench.make(serverSpec());
    once(proxy, "POST", /start$/, fault);
    expect((await errorOf(bench.deployer.start(id, bench))).code).toBe("DEPLOYER_UNAVAILABLE");
    await bench.deployer.start(id, bench);
    expect((await bench.list()).map(({ state }) => state)).toEqual(["running"]);
  });

  it.each([
    ["POST", /stop$/, "lose-request"],
    ["POST", /stop$/, "lose-answer"],
    ["DELETE", /./, "lose-request"],
    ["DELETE", /./, "lose-answer"],
  ] as const)(
    "while a server is removed: that is told, and the next try succeeds (%s %s %s)",
    async (method, path, fault) => {
      const { proxy, bench } = await proxied();
      const server = await bench.run(serverSpec());
      once(proxy, method, path, fault);
      expect((await errorOf(bench.remove(server))).code).toBe("DEPLOYER_UNAVAILABLE");
      await bench.remove(server);
      expect(await bench.list()).toEqual([]);
    },
  );

  it("while it lists, and while it looks at images and names: that is told, and the next try succeeds", async () => {
    const { proxy, bench } = await proxied();
    const network = await bench.network();
    const spec = serverSpec({ network });
    const paths = [/^\/containers\/json$/, /^\/images\//, /^\/networks\//];
    for (const path of paths) {
      // A reading call whose connection breaks is sent again, once.
      let left = 2;
      proxy.fault = (asked) => (path.test(asked.path) && left-- > 0 ? "lose-request" : undefined);
      const error = await errorOf(bench.deployer.prepare(spec, bench.identity()));
      expect(error.code).toBe("DEPLOYER_UNAVAILABLE");
    }
    proxy.fault = () => undefined;
    await bench.deployer.prepare(spec, bench.identity());
    expect(await bench.list()).toEqual([]);
  });

  it("while it pulls: that is told to all who wait, and the next try pulls", async () => {
    const { registry } = engine;
    const { proxy, bench } = await proxied({ registries: { [registry.host]: registry } });
    const image = await pushedImage(bench.api);
    onTestFinished(
      async () => void (await new Api(engine.socketPath).call("DELETE", `/images/${image}?force=1`)),
    );
    const spec = serverSpec({ image, pull: "always" });
    const waiting = new Set<string>();
    const prepare = (who: string) => {
      const onProgress = () => void waiting.add(who);
      return bench.deployer.prepare(spec, bench.identity(), { onProgress });
    };
    once(proxy, "POST", /images\/create$/, "stall-body");
    const failing = Promise.all([errorOf(prepare("one")), errorOf(prepare("other"))]);
    await until("both wait for one pull", () => waiting.size === 2);
    proxy.goAway();
    proxy.mode = "passing";
    const errors = await failing;
    expect(errors.map(({ code }) => code)).toEqual(["DEPLOYER_UNAVAILABLE", "DEPLOYER_UNAVAILABLE"]);
    await prepare("again");
    expect(proxy.count("POST", /images\/create$/)).toBe(2);
  });

  it("while its log is followed: what follows rejects, and can be read again", async () => {
    const { proxy, bench } = await proxied();
    const { id } = await bench.run(writerSpec(LOGGED));
    const following = errorOf(linesOf(bench, id, true));
    await until("it is followed", () => proxy.count("GET", /logs$/) === 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    proxy.goAway();
    expect((await following).code).toBe("DEPLOYER_UNAVAILABLE");
    proxy.mode = "passing";
    await until("it has said it", async () => (await linesOf(bench, id)).includes("said"));
  });

  it("while it is watched: a hint comes when it is back, though nothing may have happened", async () => {
    const { proxy, bench } = await proxied();
    let hints = 0;
    bench.deployer.watch(bench.installation, () => {
      hints += 1;
    });
    await until("it is watched", () => hints === 1);
    proxy.goAway();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(hints).toBe(1);
    proxy.mode = "passing";
    await until("a hint is heard", () => hints > 1);
  });

  it("or that hangs: every call ends at its time limit", async () => {
    const { proxy, bench } = await proxied({ timeoutMs: 200, startTimeoutMs: 200 });
    const server = await bench.make(serverSpec());
    proxy.mode = "hanging";
    const calls: Record<string, () => Promise<unknown>> = {
      prepare: () => bench.deployer.prepare(serverSpec(), bench.identity()),
      create: () => bench.make(serverSpec()),
      start: () => bench.deployer.start(server.id, bench),
      remove: () => bench.remove(server),
      list: () => bench.list(),
      logs: () => linesOf(bench, server.id),
    };
    for (const [name, call] of Object.entries(calls)) {
      const startedAt = performance.now();
      expect((await errorOf(call())).code, name).toBe("DEPLOYER_UNAVAILABLE");
      expect(performance.now() - startedAt, name).toBeLessThan(1000);
    }
    proxy.mode = "passing";
    await bench.remove(server);
  });

  it("or that pulls without a word of progress: the pull ends at its time limit", async () => {
    const { registry } = engine;
    const options = { registries: { [registry.host]: registry }, pullIdleTimeoutMs: 300 };
    const { proxy, bench } = await proxied(options);
    const direct = new Api(engine.socketPath);
    const image = await pushedImage(direct);
    onTestFinished(async () => void (await direct.call("DELETE", `/images/${image}?force=1`)));
    once(proxy, "POST", /images\/create$/, "stall-body");
    const preparing = errorOf(bench.deployer.prepare(serverSpec({ image }), bench.identity()));
    const error = await preparing;
    expect(error.code).toBe("DEPLOYER_UNAVAILABLE");
    expect(error.message).toBe("the pull made no progress for 300 ms");
  });

  it("is the real one: stopped and started, and hung, in the middle of everything", {
    timeout: 60_000,
  }, async () => {
    const own = await startEngine({ liveRestore: true });
    const image = own.env["DOCKER_TEST_IMAGE"] ?? "";
    const bench = new Bench({ timeoutMs: 1000, startTimeoutMs: 1000 }, own.socket);
    const spec: ServerSpec = serverSpec({ image });
    const server = await bench.run(spec);
    const stubborn = await bench.run({ ...spec, command: [...SERVER, "--ignore-sigterm"] }, "stubborn");
    let hints = 0;
    bench.deployer.watch(bench.installation, () => {
      hints += 1;
    });
    const broken = [errorOf(linesOf(bench, server.id, true)), errorOf(bench.remove(stubborn, 20_000))];
    await new Promise((resolve) => setTimeout(resolve, 300));
    await own.stop();
    for (const error of await Promise.all(broken)) expect(error.code).toBe("DEPLOYER_UNAVAILABLE");
    const calls = [
      () => bench.deployer.prepare(spec, bench.identity("m2")),
      () => bench.make(spec, "m2"),
      () => bench.deployer.start(server.id, bench),
      () => bench.list(),
      () => bench.remove(server),
    ];
    for (const call of calls) expect((await errorOf(call())).code).toBe("DEPLOYER_UNAVAILABLE");
    await own.start();
    hints = 0;
    expect((await bench.list()).find(({ id }) => id === server.id)?.state).toBe("running");
    await bench.remove(stubborn);
    await bench.run(spec, "m2");
    await until("a hint is heard", () => hints > 0, 15_000);
    await own.pause();
    for (const call of calls) expect((await errorOf(call())).code).toBe("DEPLOYER_UNAVAILABLE");
    await own.resume();
    for (const each of await bench.list()) await bench.remove(each);
    expect(await bench.list()).toEqual([]);
  });
});
