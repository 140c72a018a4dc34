import { z } from "zod";
import { answersOf, invalidAnswer, jsonAnswer, refusal } from "../answers.ts";
import type { Operation } from "../operation.ts";
import { deploymentProblem } from "../schemas/errors.ts";
import { anything, booleanParameter } from "../schemas/fields.ts";
import { model, modelList } from "../schemas/models.ts";
import { modelName } from "../schemas/names.ts";

const modelQuery = z.object({
  verbose: booleanParameter("Tells what the tracker and the servers know of each."),
});

const pathFields = z.object({ model: modelName });
const info = anything("What the server says of itself.");
const wrong = invalidAnswer("A parameter is wrong, or the name can be none.");

export function modelOperations(): readonly Operation[] {
  const common = { method: "GET", tag: "models" } as const;
  const path = { model: "nlp" };
  const unknown = { model: "none" };
  return [
    {
      ...common,
      path: "/models",
      id: "listModels",
      summary: "All models",
      description: "A model is listed as running while at least one server is ready for it.",
      queryFields: modelQuery,
      answers: answersOf({}, { 200: jsonAnswer("What runs, and what can run.", modelList), 422: wrong }),
      examples: [
        { summary: "Their names", status: 200 },
        { summary: "All that is known", query: "verbose=true", status: 200 },
      ],
    },
    {
      ...common,
      path: "/models/:model",
      id: "getModel",
      summary: "One model",
      description: "It is not deployed for being looked at.",
      pathFields,
      queryFields: modelQuery,
      answers: answersOf(
        { names: true },
        {
          200: jsonAnswer("The model.", model),
          404: refusal("There is no such model."),
          422: wrong,
        },
      ),
      examples: [
        { summary: "One that runs", path, query: "verbose=true", status: 200 },
        { summary: "One that nobody knows", path: unknown, status: 404 },
      ],
    },
    {
      ...common,
      path: "/models/:model/info",
      id: "getModelInfo",
      summary: "What a server of the model says of itself",
      description: "As it came. An on-demand model is deployed for it.",
      pathFields,
      answers: answersOf(
        { names: true, writes: true },
        {
          200: {
            description: "The server's own answer.",
            content: { "application/json": info, "*/*": info },
          },
          404: refusal("The server says that it has no such thing."),
          422: wrong,
          500: refusal("The server answers with an error of its own."),
          502: refusal("The server gave no usable answer."),
          503: refusal("The model is not known, or not there yet.", {
            schema: deploymentProblem,
            comesAgain: true,
          }),
          504: refusal("The server did not answer in time."),
        },
      ),
      examples: [
        { summary: "Of one that runs", path, status: 200 },
        { summary: "Of one that nobody knows", path: unknown, status: 503 },
      ],
    },
  ];
}
