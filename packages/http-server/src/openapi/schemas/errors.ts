import type { GatewayErrorCode } from "@modelgate/core";
import { z } from "zod";
import { STATUS_OF } from "../../status.ts";

const codes = Object.keys(STATUS_OF) as [GatewayErrorCode, ...GatewayErrorCode[]];

const members = {
  type: z
    .string()
    .regex(/^urn:modelgate:error:[a-z0-9-]+$/)
    .meta({ description: "The code, or the status in words.", examples: ["urn:modelgate:error:queue-full"] }),
  title: z.string(),
  status: z.number().int().min(400).max(599),
  code: z.enum(codes).optional().meta({ description: "Where the table of errors has one for it." }),
};

export const problem: z.ZodObject = z
  .strictObject({ detail: z.string(), ...members })
  .meta({ id: "Problem", description: "An error, with the members of RFC 9457." });

export const bareProblem: z.ZodType = z
  .strictObject({ detail: z.string() })
  .meta({ id: "BareProblem", description: "An error whose body callers compare as a whole." });

const issue = z
  .strictObject({
    type: z.string(),
    loc: z
      .array(z.union([z.string(), z.number().int()]))
      .meta({ description: "Where the field is.", examples: [["query", "priority"]] }),
    msg: z.string(),
    input: z.string().nullable().meta({ description: "Of queries and paths only; bodies are not repeated." }),
    ctx: z.record(z.string(), z.number()).optional(),
  })
  .meta({ id: "Issue", description: "One thing that is wrong, as FastAPI writes it." });

export const invalid: z.ZodType = z
  .strictObject({ detail: z.array(issue).min(1), ...members })
  .meta({ id: "InvalidRequest", description: "All that is wrong with a request." });

export const reason: z.ZodType = z
  .strictObject({ code: z.string(), message: z.string() })
  .meta({ id: "DeploymentReason", description: "What the last failed try met." });

export const deploymentProblem: z.ZodType = z
  .strictObject({
    detail: z.string(),
    state: z.string().optional().meta({ description: "How the deployment is." }),
    reason: reason.optional(),
    ...members,
  })
  .meta({ id: "DeploymentProblem", description: "Why a model is not there." });

const taskMembers = {
  detail: z.string(),
  uuid: z.string(),
  error: z.strictObject({ code: z.string(), message: z.string() }).optional(),
};
const { status, ...otherMembers } = members;
const endings = z.enum(["succeeded", "failed", "cancelled"]);

/** In JSON the status is the task's, and in the form of RFC 9457 the answer's. */
export const taskEnding: z.ZodType = z
  .strictObject({ ...taskMembers, status: endings, ...otherMembers })
  .meta({ id: "TaskEnding", description: "How a task ended that was waited for." });

export const taskEndingProblem: z.ZodType = z
  .strictObject({ ...taskMembers, task_status: endings, status, ...otherMembers })
  .meta({ id: "TaskEndingProblem", description: "How a task ended, with the members of RFC 9457." });

const components = z.record(z.string(), z.string());
const unhealthy = { status: z.literal("unhealthy"), components };

export const unhealthyAnswer: z.ZodType = z
  .strictObject({ ...unhealthy, detail: z.strictObject(unhealthy), ...otherMembers })
  .meta({ id: "Unhealthy" });

export const unhealthyProblem: z.ZodType = z
  .strictObject({ components, detail: z.strictObject(unhealthy), health: z.literal("unhealthy"), ...members })
  .meta({ id: "UnhealthyProblem" });
