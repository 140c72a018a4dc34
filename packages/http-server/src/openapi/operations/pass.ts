import { z } from "zod";
import type { Answer, Operation } from "../operation.ts";
import { anything } from "../schemas/fields.ts";
import { modelName } from "../schemas/names.ts";

const pathFields = z.object({
  model: modelName,
  path: z
    .string()
    .min(1)
    .meta({ description: "A path of the server, with all its slashes.", examples: ["v1/models"] }),
});

const headerFields = z.object({
  Prefer: z
    .string()
    .optional()
    .meta({ description: "`wait=N` waits up to N seconds for a server.", examples: ["wait=30"] }),
});

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;
const bytes = anything("Whatever the server takes.");

/** Its statuses are the server's; those of the gateway are errors in its own form. */
const answer: Answer = {
  description:
    "What the server answers, as it comes. Of the gateway itself are 403 for work that is to be submitted as a task, 413, 502, 503 and 504.",
  content: {},
};

export function passOperations(): readonly Operation[] {
  return METHODS.map((method) => ({
    method,
    path: "/models/:model/*",
    id: `pass${method.charAt(0)}${method.slice(1).toLowerCase()}`,
    tag: "model servers",
    summary: `${method} straight to a server of the model`,
    description:
      "All that is no route of the gateway, in any method; path, query and body reach the server byte for byte, and a WebSocket is passed on, too.",
    pathFields,
    headerFields,
    ...(method !== "GET" && { body: { isRequired: false, content: { "*/*": bytes } } }),
    answers: { default: answer },
    examples: [],
  }));
}
