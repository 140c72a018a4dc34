import { json } from "../http/answer.ts";
import type { InfoRoute, Model } from "./model.ts";

/** The name of the model in the forms of OpenAI and Ollama. */
export function modelIdOf({ name }: Pick<Model, "name">): string {
  return name.replaceAll(" ", "_");
}

/** `/v1/models` of OpenAI; `owner` is who serves it. */
export function modelListRoute(owner: "cms" | "vllm"): InfoRoute {
  return {
    method: "GET",
    answer: (model) => {
      const id = modelIdOf(model);
      const more = owner === "vllm" ? { root: id, parent: null, max_model_len: 2_048 } : {};
      const data = [{ id, object: "model", created: 0, owned_by: owner, ...more }];
      return json(200, { object: "list", data });
    },
  };
}

export const modelRoute: InfoRoute = {
  method: "GET",
  answer: (model, _, { name }) => {
    const id = modelIdOf(model);
    if (name === id) {
      const about = { permission: [], root: id, parent: null };
      return json(200, { id, object: "model", created: 0, owned_by: "cms", ...about });
    }
    const error = {
      message: `The model \`${name}\` does not exist`,
      type: "invalid_request_error",
      param: null,
      code: "model_not_found",
    };
    return json(404, { error });
  },
};
