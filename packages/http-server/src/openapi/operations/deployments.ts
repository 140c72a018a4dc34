import { z } from "zod";
import { answersOf, bareRefusal, emptyAnswer, invalidAnswer, jsonAnswer, refusal } from "../answers.ts";
import type { Operation } from "../operation.ts";
import { deployRequest } from "../schemas/deploy.ts";
import { deploymentProblem } from "../schemas/errors.ts";
import { booleanParameter, countParameter } from "../schemas/fields.ts";
import { deployed, deploymentList, deploymentWithLogs } from "../schemas/models.ts";
import { deployableName } from "../schemas/names.ts";

const removeQuery = z.object({
  force: booleanParameter("Removes a deployment that failed, too, and one that is not there."),
});

const deploymentQuery = z.object({
  logs: countParameter(1_000, {
    description: "So many of the lines that its server wrote last; with the key.",
  }),
});

const pathFields = z.object({ model: deployableName });
const common = { tag: "deployments", pathFields } as const;
const path = { model: "medcat" };
const json = "application/json";
const unavailable =
  "The engine, the tracker or the store does not answer, or it takes longer than is waited.";

function deployOperation(): Operation {
  const uri = "s3://models/medcat";
  return {
    ...common,
    method: "POST",
    path: "/models/:model",
    id: "deployModel",
    summary: "Deploys a model",
    description: "The same request sent again joins a deployment that goes on.",
    body: { isRequired: false, content: { [json]: deployRequest } },
    answers: answersOf(
      { names: true, writes: true },
      {
        200: jsonAnswer("Its server was started.", deployed),
        400: refusal("The name is none, nothing says where the model is, or the `ttl` cannot be had."),
        403: refusal("A `ttl` may not be given."),
        404: refusal("The tracker does not know the model, or this gateway deploys nothing."),
        409: refusal("The name is taken, or being removed.", { schema: deploymentProblem, comesAgain: true }),
        413: refusal("The body is larger than 64 KiB."),
        422: invalidAnswer("A field is wrong, or more is asked for than there is room for."),
        500: refusal("Its server could not be started.", { schema: deploymentProblem }),
        501: refusal("This gateway starts no servers."),
        503: refusal(unavailable, { schema: deploymentProblem, comesAgain: true }),
      },
    ),
    examples: [
      {
        summary: "For an hour",
        path,
        body: {
          type: json,
          value: {
            model_uri: uri,
            ttl: 3_600,
            deploy: { resources: { limits: { memory: "4g", cpus: "2" } } },
          },
        },
        status: 200,
      },
      { summary: "Nothing says where it is", path, body: { type: json, value: {} }, status: 400 },
      {
        summary: "A limit that is none",
        path,
        body: {
          type: json,
          value: { model_uri: uri, deploy: { resources: { limits: { memory: "much" } } } },
        },
        status: 422,
      },
    ],
  };
}

function readOperations(): readonly Operation[] {
  return [
    {
      ...common,
      method: "GET",
      path: "/models/:model/deployment",
      id: "getDeployment",
      summary: "How a deployment is",
      guard: "key-for-more",
      queryFields: deploymentQuery,
      answers: answersOf(
        { names: true },
        {
          200: jsonAnswer("The deployment.", deploymentWithLogs),
          403: bareRefusal("What servers write is for those who have the key."),
          404: refusal("There is none."),
          422: invalidAnswer("A parameter is wrong."),
          501: refusal("The engine keeps nothing of what its servers write."),
        },
      ),
      examples: [
        { summary: "How it is", path, status: 200 },
        { summary: "And what it wrote", path, query: "logs=20", status: 200 },
        { summary: "Of a model without one", path: { model: "none" }, status: 404 },
      ],
    },
    {
      method: "GET",
      tag: "deployments",
      path: "/deployments",
      id: "listDeployments",
      summary: "All deployments",
      description: "Also those that wait, failed or end, which are in no list of models.",
      answers: answersOf(
        {},
        {
          200: jsonAnswer("All of them by model.", deploymentList),
          404: refusal("This gateway deploys nothing."),
        },
      ),
      examples: [{ summary: "All", status: 200 }],
    },
  ];
}

function removeOperation(): Operation {
  return {
    ...common,
    method: "DELETE",
    path: "/models/:model",
    id: "removeModel",
    summary: "Removes a model's server",
    description:
      "The server ends first what it runs. One that this installation did not deploy is left alone.",
    queryFields: removeQuery,
    answers: answersOf(
      { names: true, writes: true },
      {
        204: emptyAnswer("It is removed."),
        400: refusal("The name is none."),
        403: refusal("The server is somebody else's."),
        404: refusal("There is none, or it failed."),
        409: refusal("It changes otherwise at this moment."),
        422: invalidAnswer("A parameter is wrong."),
        500: refusal("Its server could not be removed."),
        501: refusal("This gateway starts no servers."),
        503: refusal(unavailable, { comesAgain: true }),
      },
    ),
    examples: [
      { summary: "One that runs", path, status: 204 },
      { summary: "One that is not there", path, status: 404 },
    ],
  };
}

export function deploymentOperations(): readonly Operation[] {
  return [deployOperation(), ...readOperations(), removeOperation()];
}
