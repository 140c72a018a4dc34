import type { ServerSpec, TemplateRequest, VolumeMount } from "@modelgate/core";
import { checkText, invalidRequest } from "./invalid.ts";

/** What every server of CogStack ModelServe has in common. The names are those of the `cms` section of its gateway's configuration. */
export interface CmsTemplateSettings {
  /** Default `cogstacksystems/cogstack-modelserve:latest`. */
  readonly image?: string | undefined;
  /** Default: the deployer's. */
  readonly network?: string | undefined;
  /** Default 8000. */
  readonly serverPort?: number | undefined;
  /**
   * Names of volumes, or paths of the host, and where they are inside; a place that ends in `:ro` cannot be written to.
   * Default `retrained-models` at `/app/model/retrained`.
   */
  readonly volumes?: Readonly<Record<string, string>> | undefined;
  /** For a model whose type nobody knows. Default `medcat_umls`. */
  readonly modelType?: string | undefined;
  readonly pull?: ServerSpec["pull"];
  /** What a server may take, unless it is asked for otherwise. Default: no limit. */
  readonly limits?: ServerSpec["limits"] | undefined;
  readonly shmBytes?: number | undefined;
  readonly user?: string | undefined;
  /** Each default `true`. */
  readonly enableTrainingApis?: boolean | undefined;
  readonly enableEvaluationApis?: boolean | undefined;
  readonly enablePreviewsApis?: boolean | undefined;
  /** Where servers send their log; default nowhere. */
  readonly gelfInputUri?: string | undefined;
  /** The tracker that servers load models from and report to. */
  readonly tracking?: CmsTrackingSettings | undefined;
  readonly auth?: CmsAuthSettings | undefined;
  readonly proxy?: CmsProxySettings | undefined;
  /** Arguments that every server gets after its own, such as `["--device", "cuda"]`. */
  readonly extraArgs?: readonly string[] | undefined;
  /** The program inside the image. Default `["/.venv/bin/python", "cli/cli.py"]`. */
  readonly program?: readonly string[] | undefined;
}

export interface CmsTrackingSettings {
  readonly uri?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly s3?:
    | {
        readonly accessKeyId?: string | undefined;
        readonly secretAccessKey?: string | undefined;
        readonly endpointUrl?: string | undefined;
      }
    | undefined;
  /** Default `true`. */
  readonly enableSystemMetricsLogging?: boolean | undefined;
}

export interface CmsAuthSettings {
  /** Default `false`. */
  readonly userEnabled?: boolean | undefined;
  readonly jwtSecret?: string | undefined;
  /** Default 3,600. */
  readonly accessTokenExpireSeconds?: number | undefined;
  /** Default `sqlite+aiosqlite:///./cms-users.db`. */
  readonly databaseUrl?: string | undefined;
}

export interface CmsProxySettings {
  readonly httpProxy?: string | undefined;
  readonly httpsProxy?: string | undefined;
  /** Default `mlflow-ui,minio,graylog,auth-db,localhost`. */
  readonly noProxy?: string | undefined;
}

export interface CmsTemplateRequest extends TemplateRequest {
  /** For this server alone, after all others. */
  readonly extraArgs?: readonly string[] | undefined;
}

const SECRETS = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD", "AUTH_JWT_SECRET"];

/**
 * Makes the spec of a server of CogStack ModelServe, as its own gateway starts one. Its program is started without a
 * shell, so that no name and no address can become a command, and without a health check of the engine: the one of
 * CogStack's gateway calls `curl`, which the image may lack, and would call a good server unhealthy.
 */
export function cmsTemplate(settings: CmsTemplateSettings = {}): (request: CmsTemplateRequest) => ServerSpec {
  const {
    image = "cogstacksystems/cogstack-modelserve:latest",
    network,
    pull,
    shmBytes,
    user,
    serverPort = 8000,
    volumes = { "retrained-models": "/app/model/retrained" },
    modelType: usualType = "medcat_umls",
    program = ["/.venv/bin/python", "cli/cli.py"],
  } = settings;
  return ({ model, modelUri = "", modelType = usualType, demands = {}, extraArgs = [] }) => {
    if (checkText(modelUri, "modelUri") === "") {
      throw invalidRequest(
        "modelUri",
        "is missing; a server of CogStack ModelServe loads its model from there",
      );
    }
    const env = { CMS_MODEL_NAME: model, CMS_MODEL_TYPE: modelType, ...variablesOf(settings) };
    const { reservations, gpus } = demands;
    return {
      image,
      command: [
        ...program,
        "serve",
        ...["--model-type", modelType],
        ...["--model-name", model],
        ...["--mlflow-model-uri", modelUri],
        ...["--host", "0.0.0.0"],
        ...["--port", `${serverPort}`],
        ...(settings.extraArgs ?? []),
        ...extraArgs,
      ],
      env,
      secretEnv: secretsIn(env),
      port: serverPort,
      volumes: Object.entries(volumes).map(volumeOf),
      limits: { ...settings.limits, ...demands.limits },
      ...(network !== undefined && { network }),
      ...(pull !== undefined && { pull }),
      ...(shmBytes !== undefined && { shmBytes }),
      ...(user !== undefined && { user }),
      ...(reservations !== undefined && { reservations }),
      ...(gpus !== undefined && { gpus }),
    };
  };
}

/**
 * What CogStack's gateway may have no value for is empty, as it is there. What it always has a value for is left out
 * where there is none, so that the image's own holds.
 */
function variablesOf(settings: CmsTemplateSettings): Record<string, string> {
  const { tracking = {}, auth = {}, proxy = {} } = settings;
  const { s3 = {} } = tracking;
  const proxies = {
    HTTP_PROXY: proxy.httpProxy ?? "",
    HTTPS_PROXY: proxy.httpsProxy ?? "",
    NO_PROXY: proxy.noProxy ?? "mlflow-ui,minio,graylog,auth-db,localhost",
  };
  return {
    ENABLE_TRAINING_APIS: `${settings.enableTrainingApis ?? true}`,
    ENABLE_EVALUATION_APIS: `${settings.enableEvaluationApis ?? true}`,
    ENABLE_PREVIEWS_APIS: `${settings.enablePreviewsApis ?? true}`,
    AWS_ACCESS_KEY_ID: s3.accessKeyId ?? "",
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey ?? "",
    ...given({
      MLFLOW_S3_ENDPOINT_URL: s3.endpointUrl,
      MLFLOW_TRACKING_URI: tracking.uri,
      MLFLOW_TRACKING_USERNAME: tracking.username,
      MLFLOW_TRACKING_PASSWORD: tracking.password,
      GELF_INPUT_URI: settings.gelfInputUri,
    }),
    MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING: `${tracking.enableSystemMetricsLogging ?? true}`,
    AUTH_USER_ENABLED: `${auth.userEnabled ?? false}`,
    AUTH_JWT_SECRET: auth.jwtSecret ?? "",
    AUTH_ACCESS_TOKEN_EXPIRE_SECONDS: `${auth.accessTokenExpireSeconds ?? 3600}`,
    AUTH_DATABASE_URL: auth.databaseUrl ?? "sqlite+aiosqlite:///./cms-users.db",
    ...proxies,
    // Some libraries read these and some those.
    ...Object.fromEntries(Object.entries(proxies).map(([name, value]) => [name.toLowerCase(), value])),
  };
}

function volumeOf([source, place]: readonly [string, string]): VolumeMount {
  const [, target = place, mode] = /^(.*):(ro|rw)$/s.exec(place) ?? [];
  return { source, target, ...(mode === "ro" && { isReadOnly: true }) };
}

function given(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

/** Names of what is a secret, and of addresses that hold one. */
function secretsIn(env: Readonly<Record<string, string>>): readonly string[] {
  return Object.keys(env).filter((name) => SECRETS.includes(name) || /:\/\/[^/]*@/.test(env[name] ?? ""));
}
