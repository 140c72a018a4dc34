import { dockerDeployer } from "@modelgate/adapters-docker/deployer";
import { dockerDiscovery } from "@modelgate/adapters-docker/discovery";
import { memoryRecordStore } from "@modelgate/core/memory";
import { describe, expect, it } from "vitest";
import { resolveDeployments } from "../../../core/src/deployments/options.ts";
import { deploymentsOptions } from "../../src/command/docker/deployments-options.ts";
import { deployerOptions, discoveryOptions } from "../../src/command/docker/engine-options.ts";
import { trySettings } from "../../src/command/settings/read-settings.ts";
import type { Environment } from "../../src/command/settings/setting.ts";

function read(content: object, environment: Environment = {}) {
  return trySettings({ command: "serve", flags: {}, environment, config: { path: "m.json", content } });
}

const problemsOf = (content: object, environment?: Environment) => read(content, environment).problems;

describe("the settings of Docker and deployments", () => {
  it("are switched on by one word, in each of three ways", () => {
    expect(read({ docker: true, deployments: true }).settings).toMatchObject({
      "docker.enabled": true,
      "deployments.enabled": true,
    });
    expect(read({ docker: { enabled: true } }).settings["docker.enabled"]).toBe(true);
    expect(read({}, { MODELGATE_DOCKER_ENABLED: "1" }).settings["docker.enabled"]).toBe(true);
    expect(read({}).settings).toMatchObject({ "docker.enabled": false, "deployments.enabled": false });
    expect(problemsOf({ docker: "yes" })).toEqual([
      expect.stringMatching(/^"docker" in m\.json must be an object with the keys enabled, socket, host/),
    ]);
    expect(problemsOf({ s3: true })).toEqual([expect.stringMatching(/^"s3" in m\.json must be an object/)]);
  });

  it("take sizes as people write them", () => {
    const memoryOf = (memory: unknown) => read({ cms: { memory } }).settings["cms.memory"];
    expect(["16g", "512M", "0.5g", "1gb", "8388608", 8_388_608].map(memoryOf)).toEqual([
      16 * 1024 ** 3,
      512 * 1024 ** 2,
      512 * 1024 ** 2,
      1024 ** 3,
      8_388_608,
      8_388_608,
    ]);
    for (const wrong of ["4x", "", "-1g", "1k", "g", "1e9", 0.5, "16 g", null, [1]]) {
      const { settings, problems } = read({ cms: { memory: wrong } });
      expect(settings["cms.memory"], String(wrong)).toBeUndefined();
      if (wrong !== null) expect(problems[0]).toMatch(/give bytes, or a size such as 512m or 16g/);
    }
  });

  it("take lists and pairs in each of three ways, and no name twice", () => {
    const volumes = { models: "/models:ro", "/srv/x": "/x" };
    const asText = "models=/models:ro,/srv/x=/x";
    expect(read({ cms: { volumes } }).settings["cms.volumes"]).toEqual(volumes);
    expect(read({ cms: { volumes: asText } }).settings["cms.volumes"]).toEqual(volumes);
    expect(read({}, { MODELGATE_CMS_VOLUMES: asText }).settings["cms.volumes"]).toEqual(volumes);
    expect(problemsOf({ cms: { volumes: "a=/x,a=/y" } })).toHaveLength(1);
    expect(problemsOf({ cms: { volumes: "a" } })).toHaveLength(1);
    expect(read({ cms: { volumes: {} } }).settings["cms.volumes"]).toEqual({});
    const words = ["--note", "two words, and a comma"];
    expect(read({ cms: { extraArgs: words } }).settings["cms.extraArgs"]).toEqual(words);
    expect(read({}, { MODELGATE_CMS_EXTRA_ARGS: "--a b" }).settings["cms.extraArgs"]).toEqual(["--a", "b"]);
    expect(problemsOf({ docker: { labels: { modelserve: "x" } } })[0]).toMatch(
      /give NAME=KEY, where NAME is one of modelServe, modelUri/,
    );
  });

  it("have credentials as JSON, which no message repeats", () => {
    const registries = { "r.example:5000": { username: "u", password: "p" }, other: { identityToken: "t" } };
    expect(read({ docker: { registries } }).settings["docker.registries"]).toEqual(registries);
    const asText = { MODELGATE_DOCKER_REGISTRIES: JSON.stringify(registries) };
    expect(read({}, asText).settings["docker.registries"]).toEqual(registries);
    for (const wrong of [
      '{"r":{"password":"s3cret"}}',
      '{"r":"s3cret"}',
      "s3cret",
      '{"a b":{"identityToken":"s3cret"}}',
    ]) {
      const problems = problemsOf({}, { MODELGATE_DOCKER_REGISTRIES: wrong });
      expect(problems).toEqual([
        expect.stringMatching(/^MODELGATE_DOCKER_REGISTRIES cannot be understood; give/),
      ]);
      expect(problems.join()).not.toContain("s3cret");
    }
  });

  it.each([
    [
      { docker: { enabled: true, socket: "/s", host: "tcp://h:1" } },
      "docker.socket and docker.host both say where the engine is; give one of them.",
    ],
    [
      { docker: { enabled: true, host: "tcp://h:1", tls: { certFile: "c" } } },
      "a client's certificate needs its key, and a key its certificate; give docker.tls.keyFile (MODELGATE_DOCKER_TLS_KEY_FILE).",
    ],
    [
      { docker: { enabled: true, socket: "/s", tls: { caFile: "c" } } },
      "docker.tls needs an engine at tcp:// or https://; give docker.host (MODELGATE_DOCKER_HOST).",
    ],
    [
      { deployments: true },
      "deployments are enabled and no engine is; give docker.enabled (MODELGATE_DOCKER_ENABLED) as true, or deployments.deploys (MODELGATE_DEPLOYMENTS_DEPLOYS) as false where others deploy.",
    ],
    [
      { docker: true, deployments: { enabled: true, manual: { ttlMs: "never", maxTtlMs: 1000 } } },
      "deployments.manual.ttlMs is never, which is more than maxTtlMs; give at most 1000.",
    ],
    [
      { docker: true, deployments: true, cms: { auth: { userEnabled: true } } },
      "model servers are to ask who calls, and have nothing to sign with; give cms.auth.jwtSecret (MODELGATE_CMS_AUTH_JWT_SECRET).",
    ],
    [
      { docker: true, deployments: true, cms: { volumes: { "/etc": "/x" } } },
      "cms.volumes has the folder /etc; allow it with docker.hostPaths (MODELGATE_DOCKER_HOST_PATHS).",
    ],
    [
      { docker: true, deployments: true, cms: { volumes: { models: "x" } } },
      "cms.volumes has models=x, which is no absolute path inside; give NAME=/PATH.",
    ],
    [
      { docker: { enabled: true, host: "tcp://user:s3cret@h:1" } },
      '"docker.host" in m.json cannot be understood; give unix:///PATH, tcp://HOST:PORT or https://HOST:PORT, without a user.',
    ],
  ])("say what is wrong and how to mend it: %j", (content, problem) => {
    expect(problemsOf(content)).toEqual([problem]);
  });

  it("leave what is switched off alone", () => {
    expect(problemsOf({ docker: { socket: "/s", host: "tcp://h:1" }, cms: { volumes: { a: "x" } } })).toEqual(
      [],
    );
    expect(problemsOf({ deployments: { enabled: true, deploys: false } })).toEqual([]);
    const inEnvironment = { DOCKER_HOST: "tcp://h:2376" };
    expect(problemsOf({ docker: { enabled: true, tls: { caFile: "c" } } }, inEnvironment)).toEqual([]);
  });
});

describe("what the adapter and the gateway are told", () => {
  const content = {
    docker: {
      enabled: true,
      socket: "/run/docker.sock",
      project: "cms",
      network: "models",
      address: "network",
      publish: "127.0.0.1",
      labels: { ttl: "x.ttl" },
      namePrefix: "gate-",
      hostPaths: ["/srv/models"],
      platform: "linux/amd64",
      registries: { "r.example": { username: "u", password: "p" } },
    },
    deployments: {
      enabled: true,
      room: { memory: "16g", gpus: 2 },
      defaultRoom: { memory: "1g", cpus: 0.5 },
      manual: { ttlMs: "never", allowsTtl: false },
      auto: { idleTtlMs: 60_000 },
      installation: "here",
    },
  } as const;
  const { settings, problems } = read(content);

  it("is taken by the discovery and the deployer", async () => {
    expect(problems).toEqual([]);
    const discovery = dockerDiscovery({
      ...discoveryOptions(settings),
      probe: async () => ({ ready: true }),
    });
    const deployer = dockerDeployer(deployerOptions(settings));
    await Promise.all([discovery.close(), deployer.close()]);
    expect(discoveryOptions(settings)).toMatchObject({
      project: "cms",
      network: "models",
      labels: { ttl: "x.ttl" },
    });
    expect(deployerOptions(settings)).toMatchObject({
      publish: { hostAddress: "127.0.0.1" },
      namePrefix: "gate-",
    });
  });

  it("is what a gateway makes of its own defaults, too", async () => {
    const records = memoryRecordStore();
    const resolved = resolveDeployments(await deploymentsOptions(settings, { records, deployer: undefined }));
    expect(resolved).toMatchObject({
      installation: "here",
      room: { memoryBytes: 16 * 1024 ** 3, gpus: 2 },
      defaultRoom: { memoryBytes: 1024 ** 3, cpus: 0.5, gpus: 0 },
      manual: { ttlMs: null, allowsTtl: false, requiresKnownUri: false },
      auto: { idleTtlMs: 60_000 },
    });
    expect(resolved.room).not.toHaveProperty("cpus");
    const { template, ...own } = resolveDeployments({ records, template: resolved.template });
    const { template: _, ...told } = resolveDeployments(
      await deploymentsOptions(read({}).settings, { records, deployer: undefined }),
    );
    expect(told).toEqual(own);
  });

  it("makes of the settings of CogStack ModelServe what they are there", async () => {
    const cms = {
      image: "r.example/cms:1",
      memory: "4g",
      cpus: 1.5,
      pull: "always",
      volumes: { models: "/models:ro" },
      extraArgs: ["--device", "cuda"],
      tracking: { uri: "http://mlflow", username: "u", password: "s3cret" },
      proxy: { httpProxy: "http://me:s3cret@proxy:3128" },
    };
    const { template } = await deploymentsOptions(read({ ...content, cms }).settings, {
      records: memoryRecordStore(),
      deployer: undefined,
    });
    const spec = template({ model: "ner", modelUri: "s3://x", demands: { limits: { cpus: 3 } } });
    expect(spec).toMatchObject({
      image: "r.example/cms:1",
      pull: "always",
      limits: { memoryBytes: 4 * 1024 ** 3, cpus: 3 },
      volumes: [{ source: "models", target: "/models", isReadOnly: true }],
      network: "models",
      env: { MLFLOW_TRACKING_PASSWORD: "s3cret", CMS_MODEL_TYPE: "medcat_umls" },
    });
    expect(spec.command?.slice(-2)).toEqual(["--device", "cuda"]);
    expect(spec.secretEnv).toEqual(expect.arrayContaining(["MLFLOW_TRACKING_PASSWORD", "HTTP_PROXY"]));
  });
});
