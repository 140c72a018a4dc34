import type { CmsTemplateSettings } from "@modelgate/adapters-docker/deployer";
import type { DeploymentsOptions } from "@modelgate/core";
import type { Settings } from "../settings/settings.ts";

/** Makes the spec of a model's server as the settings say. */
export async function serverTemplate(settings: Settings): Promise<DeploymentsOptions["template"]> {
  const { cmsTemplate } = await import("@modelgate/adapters-docker/deployer");
  return cmsTemplate(cmsSettings(settings));
}

function cmsSettings(settings: Settings): CmsTemplateSettings {
  return {
    image: settings["cms.image"],
    network: settings["docker.network"],
    serverPort: settings["cms.serverPort"],
    volumes: settings["cms.volumes"],
    modelType: settings["cms.modelType"],
    pull: settings["cms.pull"],
    limits: limitsOf(settings),
    shmBytes: settings["cms.shmSize"],
    user: settings["cms.user"],
    enableTrainingApis: settings["cms.enableTrainingApis"],
    enableEvaluationApis: settings["cms.enableEvaluationApis"],
    enablePreviewsApis: settings["cms.enablePreviewsApis"],
    gelfInputUri: settings["cms.gelfInputUri"],
    tracking: {
      uri: settings["cms.tracking.uri"],
      username: settings["cms.tracking.username"],
      password: settings["cms.tracking.password"],
      s3: {
        accessKeyId: settings["cms.tracking.s3.accessKeyId"],
        secretAccessKey: settings["cms.tracking.s3.secretAccessKey"],
        endpointUrl: settings["cms.tracking.s3.endpointUrl"],
      },
      enableSystemMetricsLogging: settings["cms.tracking.enableSystemMetricsLogging"],
    },
    auth: {
      userEnabled: settings["cms.auth.userEnabled"],
      jwtSecret: settings["cms.auth.jwtSecret"],
      accessTokenExpireSeconds: settings["cms.auth.accessTokenExpireSeconds"],
      databaseUrl: settings["cms.auth.databaseUrl"],
    },
    proxy: {
      httpProxy: settings["cms.proxy.httpProxy"],
      httpsProxy: settings["cms.proxy.httpsProxy"],
      noProxy: settings["cms.proxy.noProxy"],
    },
    program: settings["cms.program"],
    extraArgs: settings["cms.extraArgs"],
  };
}

function limitsOf({ "cms.memory": memoryBytes, "cms.cpus": cpus }: Settings): CmsTemplateSettings["limits"] {
  return { ...(memoryBytes !== undefined && { memoryBytes }), ...(cpus !== undefined && { cpus }) };
}
