import { z } from "zod";
import { answersOf, bareRefusal, emptyAnswer, invalidAnswer, jsonAnswer, refusal } from "../answers.ts";
import type { Answers, Operation } from "../operation.ts";
import { configurationChanges, newConfiguration } from "../schemas/deploy.ts";
import { booleanParameter } from "../schemas/fields.ts";
import { configuration, configurationList } from "../schemas/models.ts";
import { deployableName } from "../schemas/names.ts";

const configurationsQuery = z.object({
  include_disabled: booleanParameter("Tells of old ones, too."),
});

const json = "application/json";
const common = { tag: "on-demand models", guard: "configuring" } as const;
const pathFields = z.object({ model: deployableName });
const path = { model: "medcat" };
const none = refusal("There is none, or this gateway deploys nothing.");
const unknownModel = "The tracker does not know the model.";
const refused: Answers = { 403: bareRefusal("The key is missing, or another one.") };
const tooLarge: Answers = { 413: refusal("The body is larger than 256 KiB.") };

const configurationId: z.ZodType = z
  .string()
  .regex(/^[+-]?\d{1,18}$/)
  .meta({ type: "integer", pattern: undefined, description: "The configuration's id.", examples: [1] });

function listOperation(): Operation {
  return {
    ...common,
    method: "GET",
    path: "/admin/on-demand",
    id: "listConfigurations",
    summary: "Models that are deployed on demand",
    queryFields: configurationsQuery,
    answers: answersOf(
      {},
      {
        ...refused,
        200: jsonAnswer("By model.", configurationList),
        404: refusal("This gateway deploys nothing."),
        422: invalidAnswer("A parameter is wrong."),
      },
    ),
    examples: [{ summary: "With old ones", query: "include_disabled=true", status: 200 }],
  };
}

function createOperation(): Operation {
  return {
    ...common,
    method: "POST",
    path: "/admin/on-demand",
    id: "createConfiguration",
    summary: "Has a model deployed on demand",
    body: { isRequired: true, content: { [json]: newConfiguration } },
    answers: answersOf(
      { writes: true },
      {
        ...refused,
        ...tooLarge,
        201: jsonAnswer("The new configuration.", configuration),
        400: refusal("The name is none, or nothing says where the model is."),
        404: refusal(unknownModel),
        409: refusal("There is an enabled one, which is not to make place."),
        422: invalidAnswer("A field is wrong."),
      },
    ),
    examples: [
      {
        summary: "Removed after ten minutes without work",
        body: {
          type: json,
          value: { model_name: "medcat", model_uri: "s3://models/medcat", idle_ttl: 600 },
        },
        status: 201,
      },
      {
        summary: "Beside one that is enabled",
        body: {
          type: json,
          value: { model_name: "medcat", model_uri: "s3://models/other", replace_enabled: false },
        },
        status: 409,
      },
      { summary: "Without a name", body: { type: json, value: {} }, status: 422 },
    ],
  };
}

function readOperations(): readonly Operation[] {
  return [
    {
      ...common,
      pathFields,
      method: "GET",
      path: "/admin/on-demand/:model",
      id: "getConfiguration",
      summary: "How a model is deployed on demand",
      answers: answersOf(
        { names: true },
        { ...refused, 200: jsonAnswer("The enabled one.", configuration), 404: none },
      ),
      examples: [
        { summary: "The enabled one", path, status: 200 },
        { summary: "Of a model without one", path: { model: "none" }, status: 404 },
      ],
    },
    {
      ...common,
      pathFields,
      method: "GET",
      path: "/admin/on-demand/:model/history",
      id: "getConfigurationHistory",
      summary: "How a model was deployed on demand",
      answers: answersOf(
        { names: true },
        { ...refused, 200: jsonAnswer("Newest first.", configurationList), 404: none },
      ),
      examples: [{ summary: "All that it was", path, status: 200 }],
    },
  ];
}

function changeOperations(): readonly Operation[] {
  return [
    {
      ...common,
      pathFields,
      method: "PUT",
      path: "/admin/on-demand/:model",
      id: "updateConfiguration",
      summary: "Changes how a model is deployed on demand",
      description: "It concerns the next deployment.",
      body: { isRequired: true, content: { [json]: configurationChanges } },
      answers: answersOf(
        { names: true, writes: true },
        {
          ...refused,
          ...tooLarge,
          200: jsonAnswer("The changed one.", configuration),
          400: refusal("What is given cannot be had."),
          404: refusal(`There is none. ${unknownModel}`),
          422: invalidAnswer("A field is wrong."),
        },
      ),
      examples: [
        {
          summary: "Kept longer",
          path,
          body: { type: json, value: { idle_ttl: 3_600, clear_description: true } },
          status: 200,
        },
      ],
    },
    {
      ...common,
      pathFields: z.object({ config: configurationId }),
      method: "POST",
      path: "/admin/on-demand/:config/enable",
      id: "enableConfiguration",
      summary: "Brings an old configuration back",
      description: "In place of the one that is enabled.",
      answers: answersOf(
        { names: true, writes: true },
        {
          ...refused,
          200: jsonAnswer("The enabled one.", configuration),
          404: none,
          422: invalidAnswer("The id is no number."),
        },
      ),
      examples: [
        { summary: "The first", path: { config: "1" }, status: 200 },
        { summary: "One that is not there", path: { config: "999999" }, status: 404 },
        { summary: "One that is none", path: { config: "first" }, status: 422 },
      ],
    },
    {
      ...common,
      pathFields,
      method: "DELETE",
      path: "/admin/on-demand/:model",
      id: "disableConfiguration",
      summary: "Ends that a model is deployed on demand",
      answers: answersOf(
        { names: true, writes: true },
        { ...refused, 204: emptyAnswer("It is disabled."), 404: none },
      ),
      examples: [
        { summary: "The enabled one", path, status: 204 },
        { summary: "Once more", path, status: 404 },
      ],
    },
  ];
}

export function onDemandOperations(): readonly Operation[] {
  return [listOperation(), createOperation(), ...readOperations(), ...changeOperations()];
}
