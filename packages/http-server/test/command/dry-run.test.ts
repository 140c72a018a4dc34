import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Fixture, openFixture } from "./fixture.ts";

const MARKER = "s3cret-marker-of-this-test";

describe("modelgate deploy --dry-run without an engine and without a gateway", () => {
  let fixture: Fixture;

  beforeAll(async () => {
    fixture = await openFixture();
    await writeFile(
      join(fixture.folder, "m.yaml"),
      `
docker: { enabled: true, socket: /no/such/socket, network: models, project: gate, namePrefix: gate-, hostPaths: [/srv] }
deployments: { enabled: true, installation: here, room: { memory: 8g }, manual: { maxTtlMs: 3600000 } }
cms:
  image: r.example:5000/cms:1
  memory: 4g
  volumes: { retrained: /app/model/retrained, /srv/models: "/models:ro" }
  tracking: { uri: "http://me:${MARKER}@mlflow:5000", password: ${MARKER}, s3: { secretAccessKey: ${MARKER} } }
  auth: { userEnabled: true, jwtSecret: ${MARKER} }
`,
    );
  }, 30_000);
  afterAll(() => fixture.close());

  const dryRun = (...args: string[]) =>
    fixture.run(["deploy", "ner", "--dry-run", "--config", "m.yaml", "--uri", "models:/ner/3", ...args]);

  it("writes the container that would be made, with secrets masked", async () => {
    const { code, stdout, stderr } = await dryRun("--ttl", "30m", "--cpus", "1.5", "--gpus", "1");
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    expect(stdout).not.toContain(MARKER);
    expect(stdout).toMatchInlineSnapshot(`
      "deployment:
        container     gate-ner
        image         r.example:5000/cms:1
        time to live  30 m 0 s
        charged       4.0 GiB, 1.5 CPUs, 1 cards
      program:
        "/.venv/bin/python"
        "cli/cli.py"
        "serve"
        "--model-type"
        "medcat_umls"
        "--model-name"
        "ner"
        "--mlflow-model-uri"
        "models:/ner/3"
        "--host"
        "0.0.0.0"
        "--port"
        "8000"
      environment:
        CMS_MODEL_NAME=ner
        CMS_MODEL_TYPE=medcat_umls
        ENABLE_TRAINING_APIS=true
        ENABLE_EVALUATION_APIS=true
        ENABLE_PREVIEWS_APIS=true
        AWS_ACCESS_KEY_ID=
        AWS_SECRET_ACCESS_KEY=***
        MLFLOW_TRACKING_URI=***
        MLFLOW_TRACKING_PASSWORD=***
        MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING=true
        AUTH_USER_ENABLED=true
        AUTH_JWT_SECRET=***
        AUTH_ACCESS_TOKEN_EXPIRE_SECONDS=3600
        AUTH_DATABASE_URL=sqlite+aiosqlite:///./cms-users.db
        HTTP_PROXY=
        HTTPS_PROXY=
        NO_PROXY=mlflow-ui,minio,graylog,auth-db,localhost
        http_proxy=
        https_proxy=
        no_proxy=mlflow-ui,minio,graylog,auth-db,localhost
      labels:
        org.cogstack.model-serve                    ner
        org.cogstack.model-serve.uri                models:/ner/3
        com.docker.compose.project                  gate
        com.docker.compose.service                  ner
        org.cogstack.model-gateway.managed-by       modelgate
        org.cogstack.model-gateway.deployment-type  manual
        org.cogstack.model-gateway.ttl              1800
        modelgate.installation                      here
        modelgate.generation                        made-for-each-deployment
        modelgate.model                             ner
        modelgate.port                              8000
        modelgate.network                           models
        modelgate.ttl-ms                            1800000
        modelgate.secret-env                        ["AWS_ACCESS_KEY_ID","AWS_SECRET_ACCESS_KEY","MLFLOW_TRACKING_URI","MLFLOW_TRACKING_PASSWORD","AUTH_JWT_SECRET"]
      host:
        Init            true
        CapDrop         ["ALL"]
        SecurityOpt     ["no-new-privileges:true"]
        RestartPolicy   {"Name":"unless-stopped"}
        LogConfig       {"Type":"json-file","Config":{"max-size":"10485760","max-file":"3"}}
        ReadonlyRootfs  false
        Mounts          [{"Type":"volume","Source":"retrained","Target":"/app/model/retrained","ReadOnly":false},{"Type":"bind","Source":"/srv/models","Target":"/models","ReadOnly":true}]
        PidsLimit       4096
        Memory          4294967296
        MemorySwap      4294967296
        NanoCpus        1500000000
        DeviceRequests  [{"Count":1,"Capabilities":[["gpu"]]}]
        NetworkMode     "models"
      against it:
        the engine cannot be reached (ENOENT)
      "
    `);
    // What only looks is no reason to make a database.
    expect(existsSync(join(fixture.folder, ".modelgate"))).toBe(false);
  });

  it("writes the body of the engine's call as JSON", async () => {
    const { stdout } = await dryRun("--json");
    expect(stdout).not.toContain(MARKER);
    const { ok, name, ttlMs, room, container, obstacles } = JSON.parse(stdout);
    expect({ ok, name, ttlMs, room }).toEqual({
      ok: false,
      name: "gate-ner",
      ttlMs: 3_600_000,
      room: { memoryBytes: 4 * 1024 ** 3, cpus: 1, gpus: 0 },
    });
    expect(container.NetworkingConfig).toEqual({ EndpointsConfig: { models: { Aliases: ["ner"] } } });
    expect(obstacles).toEqual(["the engine cannot be reached (ENOENT)"]);
  });

  it.each([
    [["--ttl", "2h"], 2, /^It would not be deployed: .*(ttl|TTL).* \(INVALID_REQUEST\)\.$/m],
    [["--ttl", "never"], 2, /\(INVALID_REQUEST\)\.$/m],
    [["--memory", "16g"], 1, /^It would not be deployed: .*memoryBytes.* \(NO_ROOM\)\.$/m],
    [["--docker-platform", "x"], 2, /^--docker-platform is "x"; give one such as linux\/amd64\.$/m],
  ])("says why %j would be refused", async (args, code, problem) => {
    expect(await dryRun(...args)).toMatchObject({ code, stdout: "", stderr: expect.stringMatching(problem) });
  });

  it("shows no secret of the settings either", async () => {
    const { stdout, stderr } = await fixture.run(["config", "--check", "--config", "m.yaml"]);
    expect(stdout + stderr).not.toContain(MARKER);
    const rows = stdout.split("\n").map((line) => line.split(/ {2,}/));
    const shownAs = (name: string) => rows.find(([first]) => first === name)?.[1];
    expect(shownAs("cms.tracking.password")).toBe("(secret)");
    expect(shownAs("cms.tracking.uri")).toBe("http://mlflow:5000");
    expect(shownAs("deployments.room.memory")).toBe(String(8 * 1024 ** 3));
    expect((await fixture.run(["config"])).stdout).not.toMatch(/^(cms\.|docker\.socket|deployments\.room)/m);
  });
});
