import { afterAll, describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { cmsTemplate } from "../../src/deployer/index.ts";
import { ask, NODE, SERVER, serverSpec } from "./fixture.ts";
import { unique } from "./support/api.ts";
import { Bench, MIB, removeNetworks } from "./support/bench.ts";
import { engine } from "./support/engine.ts";

const socket = requireService("DOCKER_SOCKET");

/** Writes as JSON what its process may do. */
const PROBE = `
const { readFileSync, writeFileSync } = require("node:fs");
const tryTo = (work) => { try { work(); return "done"; } catch (error) { return error.code; } };
const status = readFileSync("/proc/self/status", "utf8");
console.log(JSON.stringify({
  capabilities: /CapBnd:\\s*(\\w+)/.exec(status)[1],
  noNewPrivileges: /NoNewPrivs:\\s*(\\d)/.exec(status)[1],
  isFirst: process.pid === 1,
  user: [process.getuid(), process.getgid()],
  root: tryTo(() => writeFileSync("/x", "")),
  tmpfs: tryTo(() => writeFileSync("/scratch/x", "")),
  shm: tryTo(() => writeFileSync("/dev/shm/x", Buffer.alloc(80 * 1024 * 1024))),
  volume: tryTo(() => writeFileSync("/kept/x", "")),
}));
`;

describe.skipIf(socket === undefined)("what a spec says", () => {
  afterAll(removeNetworks);

  it("holds for the process: capabilities, privileges, user, root, memory in files", async () => {
    const bench = new Bench();
    const volume = unique("kept");
    const spec = serverSpec({
      command: [NODE, "-e", PROBE],
      isRootReadOnly: true,
      tmpfs: ["/scratch"],
      user: "1234:1235",
      shmBytes: 100 * MIB,
      volumes: [{ source: volume, target: "/kept", isReadOnly: true }],
    });
    const server = await bench.run(spec);
    await bench.end(server);
    const lines: string[] = [];
    for await (const { text } of bench.deployer.logs(server.id, bench)) lines.push(text);
    expect(JSON.parse(lines[0] ?? "{}")).toEqual({
      capabilities: "0000000000000000",
      noNewPrivileges: "1",
      isFirst: false,
      user: [1234, 1235],
      root: "EROFS",
      tmpfs: "done",
      shm: "done",
      volume: "EROFS",
    });
    await bench.remove(server);
    await bench.api.need("DELETE", `/volumes/${volume}`);
  });

  it("is what the engine keeps: limits, reservations, log, restart, labels", async () => {
    const bench = new Bench({ project: "cms" });
    const network = await bench.network();
    const { id } = await bench.deployer.create(
      serverSpec({
        network,
        limits: { memoryBytes: 256 * MIB, cpus: 0.5, pids: 99 },
        reservations: { memoryBytes: 128 * MIB, cpus: 0.25 },
        restart: "unless-stopped",
        log: { kind: "files", maxFileBytes: 2 * MIB, maxFiles: 2 },
        labels: { team: "ner", "modelgate.installation": "stolen" },
      }),
      bench.identity(bench.installation, { kind: "manual", ttlMs: 1500, modelUri: "models:/m/1" }),
    );
    const { HostConfig, Config } = await bench.api.inspect(id);
    expect(HostConfig).toMatchObject({
      Memory: 256 * MIB,
      MemorySwap: 256 * MIB,
      NanoCpus: 5e8,
      PidsLimit: 99,
      MemoryReservation: 128 * MIB,
      CpuShares: 256,
      Init: true,
      Privileged: false,
      RestartPolicy: { Name: "unless-stopped" },
      LogConfig: { Type: "json-file", Config: { "max-size": `${2 * MIB}`, "max-file": "2" } },
      NetworkMode: network,
    });
    expect(Config.Labels).toMatchObject({
      team: "ner",
      "modelgate.installation": bench.installation,
      "com.docker.compose.project": "cms",
      "com.docker.compose.service": bench.installation,
      "org.cogstack.model-gateway.ttl": "2",
    });
    expect(Config["Healthcheck"]).toBeUndefined();
  });

  it("keeps no more of the log than it says, and the latest of it", async () => {
    const bench = new Bench();
    const script = "for (let i = 0; i < 5000; i += 1) console.log(String(i).padEnd(100, 'x'))";
    const log = { kind: "files", maxFileBytes: 50_000, maxFiles: 2 } as const;
    const server = await bench.run(serverSpec({ command: [NODE, "-e", script], log }));
    await bench.end(server);
    const lines: string[] = [];
    for await (const { text } of bench.deployer.logs(server.id, { ...bench, tail: 10_000 })) lines.push(text);
    expect(lines.length).toBeGreaterThan(100);
    expect(lines.length).toBeLessThan(1500);
    expect(lines.at(-1)).toMatch(/^4999x/);
  });

  it("of a log that goes elsewhere is said that it cannot be read here, or it is read", async () => {
    const bench = new Bench();
    const log = { kind: "gelf", address: "udp://127.0.0.1:12201" } as const;
    const server = await bench.run(serverSpec({ command: [NODE, "-e", "console.log('said')"], log }));
    await bench.end(server);
    const lines: string[] = [];
    const reading = async (): Promise<void> => {
      for await (const { text } of bench.deployer.logs(server.id, bench)) lines.push(text);
    };
    // Engines keep a copy since 20.10, unless they are told not to.
    await reading().catch((error) => expect(error.code).toBe("UNSUPPORTED"));
    expect(lines.length === 0 || lines[0] === "said").toBe(true);
  });

  it("about the port to be published is so: at an address of the host, at a port that the engine chose", async () => {
    const bench = new Bench({ publish: { hostAddress: "0.0.0.0" } });
    const { id } = await bench.run(serverSpec());
    const { NetworkSettings, Config } = await bench.api.inspect(id);
    const port = NetworkSettings.Ports["8000/tcp"]?.[0]?.HostPort;
    expect(Config.Labels["modelgate.address"]).toBe("published");
    const url = `http://${engine.publishedAddress}:${port}/healthz`;
    for (let left = 100; ; left -= 1) {
      const text = await fetch(url, { signal: AbortSignal.timeout(500) }).then(
        (answer) => answer.text(),
        () => "",
      );
      if (text === "OK") break;
      expect(left).toBeGreaterThan(0);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });

  it("without a command is the image's own", async () => {
    const bench = new Bench();
    const { command: _command, ...spec } = serverSpec();
    const { id } = await bench.run(spec);
    expect(await ask(bench.api, id, "/argv")).toMatchObject({ argv: [] });
  });

  it("of the template for CogStack ModelServe reaches the process letter by letter", async () => {
    const bench = new Bench();
    const network = await bench.network();
    const template = cmsTemplate({ image: engine.image, network, volumes: {}, program: SERVER });
    const modelUri = "s3://b/a b; $(id) `id` \"'\\\n世界";
    const spec = template({ model: bench.installation, modelUri, modelType: "huggingface_ner" });
    const { id } = await bench.run(spec);
    const { argv, env } = (await ask(bench.api, id, "/argv")) as { argv: string[]; env: object };
    expect(argv).toEqual([
      "serve",
      ...["--model-type", "huggingface_ner", "--model-name", bench.installation],
      ...["--mlflow-model-uri", modelUri, "--host", "0.0.0.0", "--port", "8000"],
    ]);
    expect(env).toMatchObject(spec.env ?? {});
  });

  it("is longer than Linux takes: refused before anything is made; as long as it takes: it arrives", async () => {
    const bench = new Bench();
    const longest = "x".repeat(131_071);
    const { id } = await bench.run(
      serverSpec({ command: [...SERVER, longest], env: { A: longest.slice(2) } }),
    );
    const { argv, env } = (await ask(bench.api, id, "/argv")) as { argv: string[]; env: { A: string } };
    expect(argv.at(-1) === longest && env.A.length).toBe(131_069);
  });
});
