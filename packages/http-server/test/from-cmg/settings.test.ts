import { afterAll, describe, expect, it } from "vitest";
import { FILE_KEYS } from "../../src/command/from-cmg/file-keys.ts";
import { COMPOSE_VARIABLES, openDesk } from "./told.ts";

const desk = openDesk();
afterAll(() => desk.close());

/** CMG's own example of a file, shortened where nothing is said, with its comments and nulls. */
const EXAMPLE = `{
  "tracking": {
    "uri": "http://mlflow-read:5000",  // use container IP when running locally
    "username": "reader",
    "password": "read // only",
    "s3": { "access_key_id": null, "secret_access_key": null, "endpoint_url": "http://minio:9000" },
    "enable_system_metrics_logging": true,
  },
  "cms": {
    /* Useful when running behind a proxy. */
    "host_url": "https://proxy/cms/",
    "project_name": "cms",
    "server_port": 8010,
    "network": "cms-network",
    "image": "cogstacksystems/cogstack-modelserve:sha-19eb765",
    "volumes": {"retrained-models": "/app/model/retrained", "/srv/models": "/models:ro"},
    "gelf_input_uri": null,
    "enable_evaluation_apis": false,
    "tracking": {"uri": "http://mlflow-ui:5000", "username": "writer", "password": "write"},
    "auth": {"user_enabled": true, "jwt_secret": "sign", "access_token_expire_seconds": 60},
    "proxy": {"http_proxy": "http://corporate:3128", "https_proxy": null, "no_proxy": "a,b"},
    "health_check": {"interval": 90, "timeout": 10}
  },
  "models": {"deployment": {
    "auto": {"health_check_timeout": 600, "default_idle_ttl": 7200, "max_concurrent_deployments": 3,
             "deployment_retry_attempts": 4, "require_model_uri_validation": true},
    "manual": {"default_ttl": 3600, "allow_ttl_override": false, "max_ttl": 604800},
    "static": {},
    "use_ip_addresses": false
  }},
  "labels": {"cms_model_label": "my.model", "ttl_label": "my.ttl", "managed_by_value": "cmg"},
}`;

const TRACKING = {
  ...{ uri: "http://mlflow-ui:5000", username: "admin", password: "password" },
  s3: { access_key_id: null, secret_access_key: null, endpoint_url: "http://minio:9000" },
  enable_system_metrics_logging: true,
};

/** Its settings as its own code declares them. */
const ALL_DEFAULTS = {
  cms: {
    ...{ host_url: "https://proxy/cms", project_name: "cms", server_port: 8000 },
    ...{ network: "cogstack-model-serve_cms", image: "cogstacksystems/cogstack-modelserve:latest" },
    ...{ volumes: { "retrained-models": "/app/model/retrained" }, gelf_input_uri: "http://graylog:12201" },
    ...{ enable_evaluation_apis: true, enable_previews_apis: true, enable_training_apis: true },
    tracking: TRACKING,
    auth: {
      ...{ user_enabled: false, jwt_secret: null, access_token_expire_seconds: 3600 },
      database_url: "sqlite+aiosqlite:///./cms-users.db",
    },
    proxy: { http_proxy: null, https_proxy: null, no_proxy: "mlflow-ui,minio,graylog,auth-db,localhost" },
    health_check: { interval: 90, timeout: 10, retries: 3, start_period: 60 },
  },
  models: {
    deployment: {
      auto: {
        ...{ health_check_timeout: 300, default_idle_ttl: 3600, max_concurrent_deployments: null },
        ...{ deployment_retry_attempts: 2, require_model_uri_validation: false },
      },
      manual: {
        ...{ default_ttl: 86400, allow_ttl_override: true, max_ttl: null },
        require_model_uri_validation: false,
      },
      static: {},
      use_ip_addresses: false,
    },
  },
  labels: {
    cms_model_label: "org.cogstack.model-serve",
    cms_model_uri_label: "org.cogstack.model-serve.uri",
    deployment_type_label: "org.cogstack.model-gateway.deployment-type",
    managed_by_label: "org.cogstack.model-gateway.managed-by",
    managed_by_value: "cmg",
    ttl_label: "org.cogstack.model-gateway.ttl",
  },
  tracking: TRACKING,
};

function pathsOf(object: object): string[] {
  return Object.entries(object).flatMap(([key, value]) => {
    if (typeof value !== "object" || value === null || key === "volumes") return [key];
    return pathsOf(value).map((inner) => `${key}.${inner}`);
  });
}

describe("the file of CMG", () => {
  it("is understood as a whole", async () => {
    const { settings, problems } = await desk.read(["--config", desk.file("example.jsonc", EXAMPLE)]);
    expect(problems).toEqual([]);
    expect(settings).toMatchObject({
      ...{ "mlflow.url": "http://mlflow-read:5000", "mlflow.username": "reader" },
      "mlflow.password": "read // only",
      ...{ "docker.enabled": true, "docker.project": "cms", "docker.network": "cms-network" },
      ...{ "docker.address": "proxy", "docker.proxyUrl": "https://proxy/cms/{model}", "docker.port": 8010 },
      "docker.labels": { modelServe: "my.model", ttl: "my.ttl" },
      "docker.hostPaths": ["/srv/models"],
      ...{ "cms.serverPort": 8010, "cms.image": "cogstacksystems/cogstack-modelserve:sha-19eb765" },
      "cms.volumes": { "retrained-models": "/app/model/retrained", "/srv/models": "/models:ro" },
      ...{ "cms.gelfInputUri": "http://graylog:12201", "cms.enableEvaluationApis": false },
      ...{ "cms.tracking.uri": "http://mlflow-ui:5000", "cms.tracking.username": "writer" },
      ...{ "cms.auth.userEnabled": true, "cms.auth.jwtSecret": "sign" },
      "cms.auth.accessTokenExpireSeconds": 60,
      ...{ "cms.proxy.httpProxy": "http://corporate:3128", "cms.proxy.httpsProxy": undefined },
      "cms.proxy.noProxy": "a,b",
      ...{ "deployments.enabled": true, "deployments.readyTimeoutMs": 600_000 },
      ...{ "deployments.auto.idleTtlMs": 7_200_000, "deployments.maxConcurrent": 3 },
      ...{ "deployments.attempts": 5, "deployments.auto.requiresKnownUri": true },
      ...{ "deployments.manual.ttlMs": 3_600_000, "deployments.manual.allowsTtl": false },
      "deployments.manual.maxTtlMs": 604_800_000,
      ...{ host: "0.0.0.0", port: 8000, "scheduler.port": 8001, "reaper.port": 8002, store: "sqlite" },
      openConfigurations: true,
    });
  });

  it("is found by CONFIG_FILE, whatever it is called, and where it is not there its defaults hold", async () => {
    const path = desk.file("cmg-settings", '{"cms": {"image": "one:1"}}');
    const { settings } = await desk.read([], { CONFIG_FILE: path });
    expect(settings).toMatchObject({ "cms.image": "one:1", "docker.address": "proxy", port: 8000 });
    const gone = await desk.read([], { CONFIG_FILE: "/nowhere/config.json" });
    expect(gone.problems).toEqual([]);
    expect(gone.settings["docker.proxyUrl"]).toBe("https://proxy/cms/{model}");
    expect(gone.warnings.join("\n")).toContain("/nowhere/config.json is not there");
  });

  it("is not mistaken for ours, nor ours for it", async () => {
    const ours = desk.file("ours.json", { cms: { image: "one:1", tracking: { uri: "http://m" } }, port: 9 });
    expect((await desk.read(["--config", ours])).settings).toMatchObject({
      port: 9,
      "docker.enabled": false,
    });
    for (const theirs of [{ models: {} }, { labels: {} }, { tracking: {} }, { cms: { host_url: "" } }])
      expect((await desk.read(["--config", desk.file("t.json", theirs)])).settings["docker.enabled"]).toBe(
        true,
      );
  });

  it.each([
    [{ cms: { host_url: "" } }, "name", undefined],
    [{ cms: { host_url: "http://p:81/x" } }, "proxy", "http://p:81/x/{model}"],
    [{ cms: { host_url: "" }, models: { deployment: { use_ip_addresses: true } } }, "network", undefined],
    [{ models: { deployment: { use_ip_addresses: true } } }, "network", undefined],
    [{ models: {} }, "proxy", "https://proxy/cms/{model}"],
  ])("%j reaches servers by %s", async (content, address, proxyUrl) => {
    const { settings, problems } = await desk.read(["--config", desk.file("address.json", content)]);
    expect(problems).toEqual([]);
    expect([settings["docker.address"], settings["docker.proxyUrl"]]).toEqual([address, proxyUrl]);
  });

  it("lets the gateway ask the tracker of its model servers where it names no other", async () => {
    const path = desk.file("t.json", { models: {}, cms: { tracking: { uri: "http://m:1", username: "u" } } });
    const { settings } = await desk.read(["--config", path]);
    expect(settings).toMatchObject({ "mlflow.url": "http://m:1", "mlflow.username": "u" });
    expect(settings["mlflow.password"]).toBe("password");
  });

  it("names what is unknown, has no use or cannot be understood", async () => {
    const content = {
      cms: { host_url: "", imag: "x", health_check: { interval: 9 }, server_port: "many" },
      db: { user: "x" },
      models: { deployment: { manual: { default_ttl: 90, max_ttl: 60 } } },
      extra: 1,
    };
    const path = desk.file("odd.json", content);
    const { warnings, problems, settings } = await desk.read(["--config", path]);
    const all = warnings.join("\n");
    expect(all).toContain(
      `"cms.imag" in ${path} is no setting of CMG, and is not used. Did you mean cms.image?`,
    );
    expect(all).toContain(
      `cms.health_check.interval in ${path} has no use here: servers are asked themselves`,
    );
    expect(all).toContain(
      `"db" in ${path} is not read, as CMG does not read it: give its variables, CMG_DB_…`,
    );
    expect(all).toContain('"models.deployment.manual.default_ttl"');
    expect(all).toContain(`"extra" in ${path} is no setting`);
    expect(settings["deployments.manual.ttlMs"]).toBe(60_000);
    expect(problems.join("\n")).toContain(`"cms.server_port" in ${path} is "many"; give a whole number`);
    expect((await desk.read(["--config", desk.file("m.json", { models: [] })])).problems).toEqual([
      expect.stringContaining('"models" in'),
    ]);
  });

  it("may have every key that CMG reads, with its default, and nothing is said of it but what has no use", async () => {
    const { problems, warnings } = await desk.read(["--config", desk.file("all.json", ALL_DEFAULTS)]);
    expect(problems).toEqual([]);
    for (const warning of warnings)
      expect(warning).toMatch(/has no use here|NODE_EXTRA_CA_CERTS|none of CMG_DB/);
    expect(pathsOf(ALL_DEFAULTS).sort()).toEqual(Object.keys(FILE_KEYS).sort());
  });
});

describe("the variables of CMG", () => {
  it("name its stores, with a schema and a bucket of ours", async () => {
    const buckets = { CMG_OBJECT_STORE_BUCKET_TASKS: "tasks", CMG_OBJECT_STORE_BUCKET_RESULTS: "results" };
    const { settings, problems, warnings } = await desk.read([], { ...COMPOSE_VARIABLES, ...buckets });
    expect(problems).toEqual([]);
    expect(settings).toMatchObject({
      ...{ store: "postgres", "postgres.url": "postgres://admin:p%40ss%2Fword@db:5432/cmg_tasks" },
      "postgres.schema": "modelgate",
      ...{ objects: "s3", "s3.endpoint": "http://object-store:9000", "s3.bucket": "modelgate" },
      ...{ "s3.accessKey": "minio-user", "s3.secretKey": "minio-secret" },
      ...{ maxConcurrentTasks: 4, logLevel: "debug", port: 8000 },
    });
    const all = warnings.join("\n");
    expect(all).toContain("CMG_QUEUE_HOST, CMG_QUEUE_NAME, CMG_QUEUE_PASSWORD, CMG_QUEUE_PORT and");
    expect(all).toMatch(
      /CMG_OBJECT_STORE_BUCKET_RESULTS.*CMG_OBJECT_STORE_BUCKET_TASKS.*those buckets stay CMG's/,
    );
    expect(all).toContain("CMG_GATEWAY_LOG_LEVEL (debug), CMG_COMMON_LOG_LEVEL (info) differ");
    expect(all).not.toMatch(/secret|p@ss/);
  });

  it("of its first version reach servers directly, and pass on what servers were given", async () => {
    const environment = {
      ...{ CMS_PROJECT_NAME: "mine", CMS_SERVER_PORT: "8009", CMG_DB_USER: "u", CMG_OBJECT_STORE_PORT: "1" },
      ...{ MLFLOW_TRACKING_URI: "http://m:5000", AWS_ACCESS_KEY_ID: "key", GELF_INPUT_URI: "http://g:1" },
      ...{ HTTP_PROXY: "http://corporate:3128", CMG_RIPPER_INTERVAL: "5", CMG_HOST_PORT: "9999" },
      ...{
        CMG_SCHEDULER_METRICS_PORT: "9001",
        CMG_RIPPER_METRICS_PORT: "9002",
        CMG_DB_HOSt: "",
        CMG_DB_HOTS: "x",
      },
    };
    const { settings, warnings, problems } = await desk.read([], environment);
    expect(problems).toEqual([]);
    expect(settings).toMatchObject({
      ...{ "docker.address": "name", "docker.proxyUrl": undefined, "docker.project": "mine" },
      ...{
        "docker.port": 8009,
        "cms.serverPort": 8009,
        "postgres.url": "postgres://u:admin@postgres:5432/cmg_tasks",
      },
      ...{ "s3.endpoint": "http://minio:1", "mlflow.url": "http://m:5000", "mlflow.username": undefined },
      ...{ "cms.tracking.uri": "http://m:5000", "cms.tracking.s3.accessKeyId": "key" },
      ...{ "cms.gelfInputUri": "http://g:1", "cms.proxy.httpProxy": "http://corporate:3128" },
      ...{ port: 9999, "scheduler.port": 9001, "reaper.port": 9002 },
    });
    expect((await desk.read([], environment, "tasks")).settings.url).toBe("http://127.0.0.1:9999");
    const all = warnings.join("\n");
    expect(all).toContain("HTTP_PROXY is not used for calls of model servers");
    expect(all).toContain("CMG_DB_HOTS is no variable of CMG, and is not used. Did you mean CMG_DB_HOST?");
    expect(all).toContain("CMG_RIPPER_INTERVAL has no use here");
    const proxied = { ...environment, CMS_HOST_URL: "http://proxy/cms" };
    expect((await desk.read([], proxied)).settings["docker.proxyUrl"]).toBe("http://proxy/cms/{model}");
  });

  it("change nothing where there are none, or only those of others", async () => {
    const before = (await desk.read([])).settings;
    const others = {
      AWS_ACCESS_KEY_ID: "key",
      MLFLOW_TRACKING_URI: "http://m",
      CMG_HOST_PORT: "1",
      CMG_IMAGE_TAG: "x",
    };
    expect(await desk.read([], others)).toMatchObject({ settings: before, warnings: [] });
  });

  it("come after ours and before our file, which comes before CMG's", async () => {
    const cmg = desk.file("cmg.json", { cms: { image: "cmg:1", project_name: "cmgs", network: "cmgs" } });
    const ours = desk.file(
      "ours.yaml",
      "cms: {image: 'ours:1'}\nmaxConcurrentTasks: 7\nscheduler: {port: 7}\ndocker: {address: auto}\n",
    );
    const environment = {
      ...{ CONFIG_FILE: cmg, CMG_SCHEDULER_MAX_CONCURRENT_TASKS: "5", CMG_SCHEDULER_METRICS_PORT: "5" },
      MODELGATE_MAX_CONCURRENT_TASKS: "3",
    };
    const { settings, sources, warnings, problems } = await desk.read(
      ["--config", ours, "--port", "1"],
      environment,
    );
    expect(problems).toEqual([]);
    expect(settings).toMatchObject({
      ...{
        port: 1,
        maxConcurrentTasks: 3,
        "scheduler.port": 5,
        "cms.image": "ours:1",
        "docker.project": "cmgs",
      },
      ...{ "docker.address": "auto", "docker.proxyUrl": undefined, "reaper.port": 8002 },
    });
    expect(sources.get("scheduler.port")).toBe("CMG_SCHEDULER_METRICS_PORT");
    expect(sources.get("docker.project")).toBe(`"cms.project_name" in ${cmg}`);
    const all = warnings.join("\n");
    expect(all).toContain(
      "CMG_SCHEDULER_MAX_CONCURRENT_TASKS and MODELGATE_MAX_CONCURRENT_TASKS give maxConcurrentTasks differently; MODELGATE_",
    );
    expect(all).toContain(
      `"scheduler.port" in ${ours} and CMG_SCHEDULER_METRICS_PORT give scheduler.port differently`,
    );
  });

  it("say to each role what concerns it", async () => {
    const environment = {
      ...COMPOSE_VARIABLES,
      CMG_RIPPER_LOG_LEVEL: "ERROR",
      CMG_SCHEDULER_LOG_LEVEL: "loud",
    };
    const read = async (role: string) => (await desk.read([], environment, role)).settings.logLevel;
    expect(await read("gateway")).toBe("debug");
    expect(await read("reaper")).toBe("info");
    const { warnings, settings } = await desk.read([], environment, "scheduler");
    expect(settings).toMatchObject({ "scheduler.port": 8001, logLevel: "info" });
    expect(warnings.join("\n")).toContain("CMG_SCHEDULER_LOG_LEVEL is no level of a log");
  });
});
