import type { ServerSpec } from "../contracts/deployer.ts";
import type { TemplateRequest } from "./api.ts";
import type { Entry } from "./entry.ts";

/** What is started for a deployment. */
export function serverSpecOf(
  template: (request: TemplateRequest) => ServerSpec,
  { model, modelUri, modelType, demands, kind }: TemplateRequest & Pick<Entry, "kind">,
): ServerSpec {
  return {
    // A server that a person asked for survives a restart of its host; others are deployed again when they are asked for.
    restart: kind === "manual" ? "unless-stopped" : "no",
    ...template({ model, modelUri, modelType, demands }),
  };
}
