import { TASK_STATES } from "@modelgate/core";
import { z } from "zod";
import { count, instant } from "./fields.ts";

const state = z.enum(TASK_STATES).meta({ id: "TaskState" });

export const submitted: z.ZodType = z
  .strictObject({ uuid: z.string(), status: z.literal("Task submitted successfully") })
  .meta({ id: "Submitted", description: "The task is durable." });

const briefFields = { uuid: z.string(), status: state };

export const taskInBrief: z.ZodType = z
  .strictObject(briefFields)
  .meta({ id: "TaskInBrief", description: "How far a task is." });

const detailFields = {
  ...briefFields,
  model: z.string(),
  type: z.string().meta({ description: "The task's name, such as process." }),
  source: z.string().nullable().meta({ description: "Address and user agent of whoever submitted it." }),
  created_at: instant,
  started_at: instant.nullable(),
  finished_at: instant.nullable(),
  result: z.string().nullable().meta({ description: "The name of its result, when it has one." }),
  error_message: z.string().nullable(),
  tracking_id: z.string().nullable().meta({ description: "The tracker's run of a training." }),
};

export const taskInDetail: z.ZodType = z.strictObject(detailFields).meta({ id: "TaskInDetail" });

export const task: z.ZodType = z
  .strictObject({
    ...detailFields,
    priority: z.number().int().min(0).max(10),
    attempt: count,
    server: z.string().nullable(),
  })
  .meta({ id: "Task", description: "A task as a list has it." });

export const taskList: z.ZodType = z
  .strictObject({
    tasks: z.array(task),
    next_cursor: z.string().nullable().meta({ description: "Where the next page begins; null on the last." }),
  })
  .meta({ id: "TaskList" });

export const taskChange: z.ZodObject = z
  .strictObject({ priority: z.number().refine(Number.isInteger).min(0).max(10).meta({ type: "integer" }) })
  .meta({ id: "TaskChange", description: "What can be changed of a waiting task." });

/** By this an answer of a server is told from one of the gateway, which has no such header. */
export const serverAnswer: z.ZodType = z.unknown().meta({
  id: "ServerAnswer",
  description: "What the model server answered, byte for byte. The header X-Task-UUID comes with it.",
});
