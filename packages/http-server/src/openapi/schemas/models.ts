import { z } from "zod";
import { shownDeploy } from "./deploy.ts";
import { reason } from "./errors.ts";
import { anything, count, instant } from "./fields.ts";

/** With `verbose=true` there is more than the first three. */
const listed = {
  name: z.string(),
  description: z.string().optional(),
  model_type: z.string().optional(),
  deploy: shownDeploy.optional(),
  tracking: z
    .strictObject({
      uuid: anything("The model's id.").optional(),
      run_id: anything("The run that it is of.").optional(),
      artifact_path: anything("Where in the run it is.").optional(),
      signature: anything("What it takes and gives; {} when it has none."),
      flavors: anything("How it can be loaded.").optional(),
      utc_time_created: anything("When it was made.").optional(),
      mlflow_version: anything("What made it.").optional(),
    })
    .optional()
    .meta({ description: "What the tracker knows." }),
};

const runningModel = z
  .strictObject({
    ...listed,
    uri: z.string().optional(),
    is_running: z.literal(true),
    deployment_type: z.enum(["static", "manual", "auto"]).optional(),
    runtime: anything("What `/info` of a server says.").optional(),
  })
  .meta({ id: "RunningModel" });

const onDemandModel = z
  .strictObject({
    ...listed,
    uri: z.string(),
    is_running: z.literal(false),
    deployment_type: z.literal("auto").optional(),
    idle_ttl: count.optional(),
  })
  .meta({ id: "OnDemandModel" });

export const model: z.ZodType = z.union([runningModel, onDemandModel]);

export const modelList: z.ZodType = z
  .strictObject({ running: z.array(runningModel), on_demand: z.array(onDemandModel) })
  .meta({ id: "ModelList" });

export const deployed: z.ZodType = z
  .strictObject({
    message: z.string(),
    model_uri: z.string().optional(),
    container_id: z.string().optional(),
    container_name: z.string().optional(),
    ttl: z.number().int().min(-1),
  })
  .meta({ id: "Deployed", description: "Its server was started." });

const deploymentFields = {
  name: z.string(),
  state: z.enum(["waiting", "deploying", "ready", "draining", "stopping", "failed"]),
  deployment_type: z.enum(["manual", "auto"]),
  model_uri: z.string().optional(),
  model_type: z.string().optional(),
  tracking_id: z.string().optional(),
  created_at: instant,
  ready_at: instant.optional(),
  expires_at: instant.optional(),
  ttl: z.number().int().min(-1).optional(),
  idle_ttl: count.optional(),
  container_id: z.string().optional(),
  container_name: z.string().optional(),
  image_digest: z.string().optional(),
  is_started: z.boolean(),
  failures: count,
  reason: reason.optional(),
  progress: z
    .strictObject({
      phase: z.enum(["waiting", "pulling", "unpacking", "ready"]),
      done_bytes: count.optional(),
      total_bytes: count.optional(),
    })
    .optional()
    .meta({ description: "How far its image is." }),
};

const deployment = z.strictObject(deploymentFields).meta({ id: "Deployment" });

export const deploymentList: z.ZodType = z
  .strictObject({ deployments: z.array(deployment) })
  .meta({ id: "DeploymentList" });

export const deploymentWithLogs: z.ZodType = z
  .strictObject({
    ...deploymentFields,
    logs: z
      .array(z.strictObject({ stream: z.enum(["stdout", "stderr"]), text: z.string() }))
      .optional()
      .meta({ description: "With `logs=N`: the lines that its server wrote last." }),
  })
  .meta({ id: "DeploymentWithLogs" });

export const configuration: z.ZodType = z
  .strictObject({
    id: z.number().int(),
    model_name: z.string(),
    model_uri: z.string(),
    tracking_id: z.string().optional(),
    idle_ttl: count,
    description: z.string().optional(),
    enabled: z.boolean(),
    created_at: instant,
    updated_at: instant,
    deploy: shownDeploy.optional(),
    keep_warm: z.literal(true).optional(),
  })
  .meta({ id: "Configuration" });

export const configurationList: z.ZodType = z
  .strictObject({ configs: z.array(configuration), total: count })
  .meta({ id: "ConfigurationList" });
