import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { pushedImage, serverSpec, writerSpec } from "./fixture.ts";
import { Api, unique } from "./support/api.ts";
import { Bench, errorOf, removeNetworks, until } from "./support/bench.ts";
import { engine } from "./support/engine.ts";
import { EngineProxy } from "./support/proxy.ts";

const socket = requireService("DOCKER_SOCKET");

/** The table of `docs/reference/docker.md`, as a filter of the engine's socket would have it. */
function documentedCalls(): readonly { method: string; pattern: RegExp; line: string }[] {
  const page = readFileSync(new URL("../../../../docs/reference/docker.md", import.meta.url), "utf8");
  const section = page.split("## Calls that deploying needs")[1]?.split("\n## ")[0] ?? "";
  return [...section.matchAll(/^\| `(GET|POST|DELETE) (\/\S+)`/gm)].map(([line, method = "", path = ""]) => ({
    method,
    pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`),
    line,
  }));
}

describe.skipIf(socket === undefined)("with no more rights than are documented", () => {
  afterAll(removeNetworks);

  it("a server is prepared, made, started, watched, read and removed, and each call of the table is needed", async () => {
    const calls = documentedCalls();
    expect(calls.length).toBeGreaterThan(8);
    const { registry } = engine;
    const proxy = await EngineProxy.start(engine.socketPath);
    onTestFinished(() => proxy.close());
    proxy.isAllowed = ({ method, path }) =>
      calls.some((call) => call.method === method && call.pattern.test(path));
    const bench = new Bench({ registries: { [registry.host]: registry } }, proxy.socketPath);
    const direct = new Api(engine.socketPath);
    const network = await new Bench().network();
    const image = await pushedImage(direct);
    onTestFinished(async () => void (await direct.call("DELETE", `/images/${image}?force=1`)));
    const neighbour = await direct.run(unique("neighbour"), {
      Image: engine.image,
      HostConfig: { NetworkMode: network },
    });
    onTestFinished(() => direct.removeContainer(neighbour));

    let hints = 0;
    bench.deployer.watch(bench.installation, () => {
      hints += 1;
    });
    const spec = { ...writerSpec([{ stream: "stdout", text: "said" }]), image, network };
    await bench.deployer.prepare(spec, bench.identity());
    const server = await bench.run(spec);
    await until("a hint is heard", () => hints > 0);
    const lines: string[] = [];
    await until("it has said it", async () => {
      for await (const { text } of bench.deployer.logs(server.id, bench)) lines.push(text);
      return lines.includes("said");
    });
    await direct.need("POST", `/containers/${server.id}/pause`);
    await bench.remove(server);
    await bench.run(serverSpec({ command: ["/usr/bin/node", "-e", "0"] }), `${bench.installation}-2`);
    await until("it has ended", async () => (await bench.list())[0]?.state === "stopped");

    const refused = proxy.asked.filter((asked) => !proxy.isAllowed(asked));
    expect(refused).toEqual([]);
    for (const { method, pattern, line } of calls) {
      expect(proxy.count(method, pattern), line).toBeGreaterThan(0);
    }
  });

  it("and with fewer it is said which call was refused", async () => {
    const proxy = await EngineProxy.start(engine.socketPath);
    onTestFinished(() => proxy.close());
    const bench = new Bench({}, proxy.socketPath);
    proxy.isAllowed = ({ method }) => method === "GET";
    const error = await errorOf(bench.make(serverSpec()));
    expect(error.code).toBe("DEPLOYER_REFUSED");
    expect(error.message).toMatch(/forbidden by the proxy/);
    proxy.isAllowed = ({ path }) => !path.startsWith("/containers/json");
    expect((await errorOf(bench.list())).message).toMatch(/403 to GET \/containers\/json/);
    proxy.isAllowed = () => true;
  });
});
