import { z } from "zod";

/** A name that a task can be submitted for. What it is of, the gateway knows. */
export const modelName: z.ZodType = z
  .string()
  .min(1)
  .max(256)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: names have none.
  .regex(/^(?!\.{1,2}$)[^\x00-\x1f\x7f]+$/)
  .meta({ description: "The model's name.", examples: ["nlp"] });

/** What a model can be named that the gateway deploys. */
export const deployableName: z.ZodType = z
  .string()
  .max(255)
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/)
  .meta({ description: "The model's name.", examples: ["medcat"] });

export const taskId: z.ZodType = z
  .string()
  .regex(/^[\w-]{1,128}$/)
  .meta({ description: "The task's id.", examples: ["0f8fad5b-d9cb-469f-a165-70867728950e"] });
