import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { call } from "../support/http-client.ts";
import { type EnginePart, openEnginePart } from "./docker-engine.ts";
import { type Ended, type Fixture, openFixture } from "./fixture.ts";

const socket = requireService("DOCKER_SOCKET");
const image = process.env["DOCKER_TEST_IMAGE"] ?? "";
const MARKER = "s3cret-marker-of-this-test";
const KEY = "the-key-of-this-test";

describe.skipIf(socket === undefined)("deployments by the command on a Docker Engine", () => {
  let fixture: Fixture;
  let part: EnginePart;

  beforeAll(async () => {
    fixture = await openFixture();
    part = openEnginePart(socket ?? "", image);
  }, 60_000);
  afterAll(async () => {
    await fixture?.close();
    await part?.close();
  });

  /** Writes a configuration file with a data directory of its own. */
  async function configFile(name: string, more: Readonly<Record<string, object>> = {}): Promise<string> {
    const path = join(fixture.folder, `${name}.json`);
    await mkdir(join(fixture.folder, name), { recursive: true });
    const { docker, cms } = part.settings;
    const content = {
      ...{ dataDir: join(fixture.folder, name), adminKey: KEY, logLevel: "debug" },
      docker: { ...docker, ...more["docker"] },
      deployments: {
        enabled: true,
        attempts: 1,
        retryMs: 50,
        drainMs: 1_000,
        stopGraceMs: 1_000,
        ...more["deployments"],
      },
      cms: { ...cms, ...more["cms"] },
    };
    await writeFile(path, JSON.stringify(content));
    return path;
  }

  async function serve(config: string, ...args: string[]) {
    const running = fixture.start(["serve", "--config", config, "--port", "0", ...args]);
    const url = await running.listening();
    const ask = (...asked: string[]): Promise<Ended> =>
      fixture.run([...asked, "--url", url], { environment: { MODELGATE_ADMIN_KEY: KEY } });
    return { running, url, ask };
  }

  describe("with one process", () => {
    let config: string;
    let ask: (...args: string[]) => Promise<Ended>;
    let url: string;
    let model: string;
    let output: () => string;

    beforeAll(async () => {
      config = await configFile("one", {
        cms: {
          memory: "256m",
          extraArgs: ["--print-secret", "on"],
          tracking: { uri: `http://me:${MARKER}@mlflow:5000`, password: MARKER },
        },
      });
      model = `${part.id}-one`;
      const started = await serve(config);
      ({ ask, url } = started);
      output = () => started.running.stdout() + started.running.stderr();
    }, 60_000);

    it("deploys a model, runs its tasks, tells of it and removes it", async () => {
      const uri = ["--uri", "s3://models/ner"];
      const deployed = await ask("deploy", model, ...uri, "--ttl", "90m", "--cpus", "0.5", "--wait");
      expect(deployed).toMatchObject({ code: 0, stdout: "ready\n" });
      expect(deployed.stderr).toMatch(/It will be removed: in 1 h 29 m\.\n$/);
      const container = await part.docker.getContainer(model).inspect();
      expect(container.HostConfig).toMatchObject({ Memory: 256 * 1024 ** 2, NanoCpus: 5e8 });

      const answer = await call(url, `/models/${model}/tasks/process`, {
        method: "POST",
        headers: { "content-type": "text/plain", prefer: "wait=20" },
        body: "a text",
      });
      expect(answer.status).toBe(200);

      const { code, stdout } = await ask("deployments");
      expect(code).toBe(0);
      const rows = stdout
        .trimEnd()
        .split("\n")
        .map((line) => line.split(/ {2,}/));
      expect(rows).toEqual([
        ["MODEL", "STATE", "KIND", "AGE", "ENDS", "REASON"],
        [model, "ready", "manual", expect.stringMatching(/ s$/), "in 1 h 29 m", "-"],
      ]);
      const [listed] = JSON.parse((await ask("deployments", "--json")).stdout).deployments;
      expect(listed).toMatchObject({ name: model, state: "ready", ttl: 5400, model_uri: "s3://models/ner" });

      const logs = await ask("logs", model);
      expect(logs).toMatchObject({ code: 0, stderr: "" });
      expect(logs.stdout).toContain("MLFLOW_TRACKING_PASSWORD");
      expect(logs.stdout).not.toContain(MARKER);
      expect((await ask("logs", model, "--tail", "1")).stdout.trimEnd().split("\n")).toHaveLength(1);

      // The same again, while it runs, is a conflict; elsewhere nothing of it is known.
      expect(await ask("deploy", model, ...uri)).toMatchObject({
        code: 4,
        stderr: expect.stringMatching(/^The gateway refused \(409\): Model '\S+' is already running/),
      });
      expect(await ask("undeploy", model)).toMatchObject({ code: 0, stdout: "removed\n" });
      expect(await part.names()).toEqual([]);
      expect(await ask("deployments")).toMatchObject({
        stdout: "",
        stderr: expect.stringMatching(/^Nothing is deployed\./),
      });
      expect((await ask("undeploy", model)).code).toBe(4);
      expect(await ask("undeploy", model, "--force", "--json")).toMatchObject({
        code: 0,
        stdout: `{\n  "name": "${model}",\n  "state": "removed"\n}\n`,
      });
    }, 60_000);

    it("writes down what happens, counts it, and no secret", async () => {
      for (const words of ["server is being deployed", "deployed server is ready", "deployment is gone"]) {
        expect(output()).toContain(` info ${words} model=${model} kind=manual generation=`);
      }
      expect(output()).not.toContain(MARKER);
      const { text } = await call(url, "/metrics");
      expect(text).toContain('modelgate_deployment_start_seconds_count{kind="manual"} 1');
      expect(text).toContain('modelgate_deployments{state="ready",kind="manual"} 0');
    });

    it("says why a deployment failed, and ends with 1", async () => {
      const failing = `${part.id}-failing`;
      const wanted = ["deploy", failing, "--uri", "s3://models/ner", "--gpus", "1", "--wait"];
      const { code, stdout, stderr } = await ask(...wanted);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "failed\n" });
      expect(stderr).toMatch(
        new RegExp(`Model ${failing} was not deployed: .*\\((START_FAILED)\\)\\. modelgate logs ${failing} `),
      );
      expect((await ask("deployments")).stdout).toMatch(
        new RegExp(`^${failing} +failed +manual +\\S+ s +- +\\S`, "m"),
      );
      const { text } = await call(url, "/metrics");
      expect(text).toMatch(/modelgate_deployment_failures_total\{kind="manual",code="[A-Z_]+"\} 1/);
      expect((await ask("undeploy", failing)).stderr).toContain("Use force=true");
      expect((await ask("undeploy", failing, "--force")).code).toBe(0);
    }, 60_000);

    it.each([
      [["deploy", "m"], /^--uri is missing; give where the model is by --uri/],
      [["deploy", "m", "--uri", "a", "--tracking-id", "b"], /^--uri and --tracking-id say the same/],
      [["deploy", "m", "--uri", "a", "--ttl", "90"], /^--ttl is "90"; give a time such as 90m, 24h or 7d/],
      [["deploy", "m", "--uri", "a", "--memory", "4x"], /^--memory is "4x"; give bytes, or a size/],
      [["deploy", "m", "--uri", "a", "--cpus", "0"], /^--cpus is "0"; give a number from 0\.01/],
      [
        ["deploy", "m", "--uri", "a", "--gpus", "x"],
        /^--gpus is "x"; give a whole number from 0 to 256, or all/,
      ],
      [["logs", "m", "--tail", "0"], /^--tail is "0"; give a whole number from 1 to 1000/],
    ])("refuses %j before anything is asked", async (args, problem) => {
      expect(await ask(...args)).toMatchObject({ code: 2, stderr: expect.stringMatching(problem) });
    });

    it("tells beforehand what it would do, and what stands against it", async () => {
      const stranger = `${part.id}-taken`;
      const container = await part.docker.createContainer({
        Image: image,
        name: stranger,
        Labels: { [part.label]: "x" },
      });
      try {
        const plan = (...args: string[]) =>
          fixture.run(["deploy", ...args, "--uri", "s3://m", "--dry-run", "--json", "--config", config]);
        const good = await plan(`${part.id}-free`);
        expect(good).toMatchObject({ code: 0, stderr: "" });
        expect(JSON.parse(good.stdout)).toMatchObject({ ok: true, name: `${part.id}-free`, obstacles: [] });
        expect(good.stdout).not.toContain(MARKER);

        const taken = await plan(stranger);
        expect(taken.code).toBe(1);
        expect(JSON.parse(taken.stdout).obstacles).toEqual([
          `"${stranger}" is the name of a container that this installation did not start; rename or remove one of the two`,
        ]);
        const lacking = await plan(
          `${part.id}-x`,
          "--cms-image",
          "no-such-image:1",
          "--docker-network",
          "no-such",
        );
        expect(JSON.parse(lacking.stdout).obstacles).toEqual([
          expect.stringMatching(/"no-such" does not exist on the engine/),
          expect.stringMatching(/does not have the image no-such-image:1/),
        ]);
        expect(await part.names()).toEqual([stranger]);
      } finally {
        await container.remove({ force: true });
      }
    }, 30_000);

    it("is looked at by the doctor", async () => {
      const run = (...args: string[]) =>
        fixture.run(["doctor", "--json", "--config", config, "--port", "0", ...args]);
      const found = async (...args: string[]) =>
        (JSON.parse((await run(...args)).stdout).findings as { check: string; level: string; text: string }[])
          .filter(({ check }) => check === "Docker")
          .map(({ level, text }) => `${level}: ${text}`);
      // Other tests may have left something at the same moment.
      expect((await found()).slice(0, 6)).toEqual([
        expect.stringMatching(/^ok: Engine 20\.10\.\d+\S* on .*, API 1\.41, answers in \d+ ms$/),
        expect.stringMatching(/^warn: deployed servers join the engine's own bridge/),
        `ok: the image ${image} is there`,
        "ok: it limits memory, CPUs and processes",
        expect.stringMatching(/^warn: nothing bounds what all servers together take/),
        expect.stringMatching(/^ok: 0 model servers run there, 0 containers are ours$/),
      ]);
      expect(await found("--docker-network", "no-such", "--deployments-room-memory", "900000g")).toEqual(
        expect.arrayContaining([
          "fail: the network no-such is not there",
          expect.stringMatching(/^warn: servers may take 878\.9 TiB, and it has/),
        ]),
      );
      expect(await found("--cms-image", "no-such-image:1")).toContain(
        'fail: the engine does not have the image no-such-image:1, and pull is "never"',
      );
      const registry = process.env["DOCKER_REGISTRY"] ?? "";
      const inRegistry = process.env["DOCKER_REGISTRY_IMAGE"] ?? "";
      const remote = ["--cms-image", inRegistry, "--cms-pull", "always"];
      expect(await found(...remote)).toContainEqual(expect.stringMatching(/^fail: .*registry/));
      // Of an image that is here already, the registry is asked all the same.
      expect(await found("--cms-pull", "always")).toContainEqual(expect.stringMatching(/^fail: /));
      const username = process.env["DOCKER_REGISTRY_USER"];
      const password = process.env["DOCKER_REGISTRY_PASSWORD"];
      const credentials = join(fixture.folder, "registries.json");
      await writeFile(credentials, JSON.stringify({ [registry]: { username, password } }), { mode: 0o600 });
      expect(await found(...remote, "--docker-registries-file", credentials)).toContain(
        `ok: the image ${inRegistry} is in its registry, and pulled for the first deployment`,
      );
      expect(await found("--docker-socket", "/no/such/socket")).toEqual([
        "fail: the engine cannot be reached (ENOENT)",
      ]);
    }, 60_000);
  });

  it("reaches an engine over TLS with the certificates that the settings name", async () => {
    const certificates = process.env["DOCKER_TLS_CERTS"] ?? "";
    const own = { certFile: join(certificates, "cert.pem"), keyFile: join(certificates, "key.pem") };
    const look = async (caFile: string) => {
      const docker = { enabled: true, host: process.env["DOCKER_TLS_HOST"], tls: { caFile, ...own } };
      const path = join(fixture.folder, "tls.json");
      await writeFile(path, JSON.stringify({ docker }));
      return (await fixture.run(["doctor", "--config", path, "--port", "0"])).stdout;
    };
    expect(await look(join(certificates, "ca.pem"))).toMatch(/^ok +Docker +Engine 20\.10/m);
    expect(await look(join(certificates, "cert.pem"))).toMatch(
      /^FAIL +Docker +the engine's certificate was refused[\s\S]*-> mend docker\.tls\.caFile \(MODELGATE_DOCKER_TLS_CA_FILE\)$/m,
    );
    expect(await look("/no/such/ca.pem")).toContain(
      "docker.tls.caFile (MODELGATE_DOCKER_TLS_CA_FILE) names /no/such/ca.pem, which cannot be read (ENOENT).",
    );
  }, 30_000);

  it("changes nothing where deployments are off", async () => {
    const config = await configFile("off", { deployments: { enabled: false } });
    const { ask } = await serve(config);
    const model = `${part.id}-off`;
    expect(await ask("deploy", model, "--uri", "s3://m")).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/^The gateway refused \(404\): This gateway deploys no servers/),
    });
    const plan = await fixture.run(["deploy", model, "--uri", "s3://m", "--dry-run", "--config", config]);
    expect(plan.code).toBe(1);
    expect(plan.stdout).toMatch(
      /against it:\n {2}deployments\.enabled is false, so that a gateway would deploy nothing/,
    );
  }, 30_000);

  describe("with a process for each role", () => {
    afterEach(() => part.close());

    it("deploys by a gateway without an engine, runs at a scheduler, and is ended by a reaper alone", async () => {
      const config = await configFile("roles");
      const model = `${part.id}-roles`;
      const start = (role: string, ...args: string[]) =>
        fixture.start([role, "--config", config, ...args], { environment: {} });
      const scheduler = start("scheduler");
      const reaper = start("reaper");
      await expect
        .poll(() => scheduler.stdout() + reaper.stdout(), { timeout: 20_000 })
        .toMatch(/at work[\s\S]*at work/);
      const gateway = start("gateway", "--port", "0", "--deployments-deploys=false");
      const url = await gateway.listening();
      const headers = { "content-type": "application/json" };
      const { status } = await call(url, `/models/${model}`, {
        method: "POST",
        headers,
        body: JSON.stringify({ model_uri: "s3://m", ttl: 8 }),
      });
      // It has no deployer, and says so.
      expect(status).toBe(501);

      const other = start("gateway", "--port", "0");
      const otherUrl = await other.listening();
      const environment = { MODELGATE_ADMIN_KEY: KEY };
      const deployed = await fixture.run(
        ["deploy", model, "--uri", "s3://m", "--ttl", "6s", "--wait", "--url", otherUrl],
        { environment },
      );
      expect(deployed).toMatchObject({ code: 0, stdout: "ready\n" });
      await expect
        .poll(
          async () => (await call(url, "/models/")).json.running.map(({ name }: { name: string }) => name),
          {
            timeout: 5_000,
          },
        )
        .toEqual([model]);
      for (const { child } of [gateway, other, scheduler]) child.kill("SIGKILL");
      await Promise.all([gateway.ended, other.ended, scheduler.ended]);
      // Those that were killed are waited for until their presence has lapsed.
      await expect.poll(() => part.names(), { timeout: 45_000 }).toEqual([]);
      reaper.child.kill("SIGTERM");
      expect(await reaper.ended).toBe(0);
    }, 90_000);
  });
});
