import { GatewayError } from "@modelgate/core";
import { describe, expect, it } from "vitest";
import { createBody } from "../../src/deployer/create-body.ts";
import { type CmsTemplateSettings, cmsTemplate } from "../../src/deployer/index.ts";
import { checkDeployerOptions, withDefaults } from "../../src/deployer/options.ts";

const MODEL_URI = "s3://models/1/abc/artifacts/medcat";

/** The defaults of CogStack's gateway, in its own words. */
const SETTINGS: CmsTemplateSettings = {
  network: "cogstack-model-serve_cms",
  gelfInputUri: "http://graylog:12201",
  tracking: {
    uri: "http://mlflow-ui:5000",
    username: "admin",
    password: "password",
    s3: { endpointUrl: "http://minio:9000" },
  },
};

/** What CogStack's gateway sends the engine, as it was recorded from a run of it. */
const UPSTREAM = {
  name: "ner",
  Image: "cogstacksystems/cogstack-modelserve:latest",
  Cmd: [
    "sh",
    "-c",
    `/.venv/bin/python cli/cli.py serve --model-type medcat_umls --model-name ner --mlflow-model-uri ${MODEL_URI} --host 0.0.0.0 --port 8000`,
  ],
  Env: {
    CMS_MODEL_NAME: "ner",
    CMS_MODEL_TYPE: "medcat_umls",
    ENABLE_TRAINING_APIS: "true",
    ENABLE_EVALUATION_APIS: "true",
    ENABLE_PREVIEWS_APIS: "true",
    AWS_ACCESS_KEY_ID: "",
    AWS_SECRET_ACCESS_KEY: "",
    MLFLOW_S3_ENDPOINT_URL: "http://minio:9000",
    MLFLOW_TRACKING_URI: "http://mlflow-ui:5000",
    MLFLOW_TRACKING_USERNAME: "admin",
    MLFLOW_TRACKING_PASSWORD: "password",
    MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING: "true",
    GELF_INPUT_URI: "http://graylog:12201",
    AUTH_USER_ENABLED: "false",
    AUTH_JWT_SECRET: "",
    AUTH_ACCESS_TOKEN_EXPIRE_SECONDS: "3600",
    AUTH_DATABASE_URL: "sqlite+aiosqlite:///./cms-users.db",
    HTTP_PROXY: "",
    HTTPS_PROXY: "",
    NO_PROXY: "mlflow-ui,minio,graylog,auth-db,localhost",
    http_proxy: "",
    https_proxy: "",
    no_proxy: "mlflow-ui,minio,graylog,auth-db,localhost",
  },
  Labels: {
    "com.docker.compose.project": "cms",
    "com.docker.compose.service": "ner",
    "org.cogstack.model-serve": "ner",
    "org.cogstack.model-serve.uri": MODEL_URI,
    "org.cogstack.model-gateway.managed-by": "cmg",
    "org.cogstack.model-gateway.deployment-type": "manual",
    "org.cogstack.model-gateway.ttl": "86400",
  },
  ExposedPorts: ["8000/tcp"],
  Volumes: { "retrained-models": "/app/model/retrained" },
  Network: "cogstack-model-serve_cms",
  PublishedPort: "random",
  Healthcheck: ["CMD", "curl", "-f", "http://localhost:8000/info"],
};

/** Why ours is not the same, by the name of what differs. */
const DIFFERENCES: Readonly<Record<string, string>> = {
  Cmd: "an argument is an item of its own and no shell reads it; it is the entry point, since CMS may get one",
  Labels: "managed by us, so that two gateways never remove each other's; and labels of our own",
  PublishedPort:
    "not published unless the deployer's option `publish` says so: it opens every server to the host's network",
  Healthcheck: "none: readiness is what our own probe says, and the image may lack curl",
  HostConfig: "no capabilities, no new privileges, an init process, bounded processes and logs, no swap",
};

interface Body {
  readonly Image: string;
  readonly Entrypoint: string[];
  readonly Cmd: string[];
  readonly Env: string[];
  readonly Labels: Record<string, string>;
  readonly ExposedPorts: object;
  readonly Healthcheck?: string[];
  readonly HostConfig: {
    readonly NetworkMode: string;
    readonly Mounts: { Source: string; Target: string }[];
    readonly PortBindings?: object;
  };
}

/** Ours in the words above. */
function ours(): Record<keyof typeof UPSTREAM | "HostConfig", unknown> & { Entrypoint: string[] } {
  const settings = checkDeployerOptions({ project: "cms" });
  const spec = cmsTemplate(SETTINGS)({ model: "ner", modelUri: MODEL_URI });
  const identity = {
    installation: "i",
    model: "ner",
    generation: "g",
    kind: "manual",
    ttlMs: 86_400_000,
    modelUri: MODEL_URI,
  } as const;
  const body = createBody(withDefaults(spec, settings), identity, settings) as unknown as Body;
  const { NetworkMode, Mounts, PortBindings, ...HostConfig } = body.HostConfig;
  return {
    name: "ner",
    Image: body.Image,
    Entrypoint: body.Entrypoint,
    Cmd: body.Cmd,
    Env: Object.fromEntries(body.Env.map((entry) => entry.split(/=(.*)/s))),
    Labels: body.Labels,
    ExposedPorts: Object.keys(body.ExposedPorts),
    Volumes: Object.fromEntries(Mounts.map(({ Source, Target }) => [Source, Target])),
    Network: NetworkMode,
    PublishedPort: PortBindings === undefined ? "none" : "random",
    Healthcheck: body.Healthcheck ?? [],
    HostConfig,
  };
}

/** As text, without an order of names. */
function inOrder(value: unknown): string | undefined {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return JSON.stringify(isObject ? Object.entries(value).sort() : value);
}

describe("the template of CogStack ModelServe", () => {
  it("differs from what CogStack's gateway does in what is named here, and in nothing else", () => {
    const { Entrypoint: _entrypoint, ...made } = ours();
    const names = new Set([...Object.keys(UPSTREAM), ...Object.keys(made)]);
    const differing = [...names].filter((name) => {
      const [one, other] = [UPSTREAM, made].map((form) => inOrder((form as never)[name]));
      return one !== other;
    });
    expect(differing.sort()).toEqual(Object.keys(DIFFERENCES).sort());
  });

  it("starts the same program with the same arguments", () => {
    expect(ours().Entrypoint).toEqual(UPSTREAM.Cmd[2]?.split(" "));
    expect(ours().Cmd).toEqual([]);
  });

  it("keeps every label of CogStack's gateway but who manages it", () => {
    const changed = { "org.cogstack.model-gateway.managed-by": "modelgate" };
    expect(ours().Labels).toMatchObject({ ...UPSTREAM.Labels, ...changed });
  });

  it("hands no name and no address to a shell", () => {
    const hostile = "a b; rm -rf / $(id) `id` \" ' \\ \n";
    const { command } = cmsTemplate()({ model: hostile, modelUri: hostile, modelType: hostile });
    expect(command?.filter((text) => text === hostile)).toHaveLength(3);
    expect(command).not.toContain("sh");
  });

  it("names its secrets, and addresses that hold one", () => {
    const { secretEnv } = cmsTemplate({
      auth: { jwtSecret: "j", databaseUrl: "postgresql://user:word@auth-db/users" },
      proxy: { httpProxy: "http://user:word@proxy:3128", httpsProxy: "http://proxy:3128" },
    })({ model: "m", modelUri: "u" });
    expect([...(secretEnv ?? [])].sort()).toEqual([
      "AUTH_DATABASE_URL",
      "AUTH_JWT_SECRET",
      "AWS_ACCESS_KEY_ID",
      "AWS_SECRET_ACCESS_KEY",
      "HTTP_PROXY",
      "http_proxy",
    ]);
  });

  it("takes what is demanded of one server before what holds for all", () => {
    const template = cmsTemplate({
      image: "cms:1",
      modelType: "medcat_snomed",
      limits: { memoryBytes: 1e9, cpus: 1 },
      volumes: { models: "/m:ro" },
      extraArgs: ["--debug"],
    });
    const spec = template({
      model: "m",
      modelUri: "u",
      modelType: "huggingface_ner",
      demands: { limits: { memoryBytes: 2e9 }, gpus: 1 },
      extraArgs: ["--device", "cuda"],
    });
    expect(spec).toMatchObject({ image: "cms:1", limits: { memoryBytes: 2e9, cpus: 1 }, gpus: 1 });
    expect(spec.volumes).toEqual([{ source: "models", target: "/m", isReadOnly: true }]);
    expect(spec.command?.slice(-3)).toEqual(["--debug", "--device", "cuda"]);
    expect(spec.env).toMatchObject({ CMS_MODEL_TYPE: "huggingface_ner" });
    expect(template({ model: "m", modelUri: "u" }).env).toMatchObject({ CMS_MODEL_TYPE: "medcat_snomed" });
  });

  it("refuses a model without an address", () => {
    const make = (): unknown => cmsTemplate()({ model: "m" });
    expect(make).toThrow(GatewayError);
    expect(make).toThrow(/^modelUri is missing/);
  });
});
