import type { Gateway } from "@modelgate/core";
import { detail } from "../answers.ts";
import type { ResponseView } from "../exchange.ts";
import { pythonList } from "../python-text.ts";

export function runningModels(gateway: Gateway): string[] {
  return gateway
    .models()
    .filter((model) => model.isRunning)
    .map((model) => model.name);
}

/** The text, with its missing space, is what callers know. */
export function modelNotFound(gateway: Gateway, name: string): ResponseView {
  const running = pythonList(runningModels(gateway));
  return detail(
    404,
    `Model '${name}' not found: * Running models: ${running}. * On-demand models: [].You can list all available models at /models.`,
  );
}

export function modelNotAvailable(gateway: Gateway, name: string): ResponseView {
  const running = pythonList(runningModels(gateway));
  return detail(
    503,
    `Model '${name}' is not available. Running models: ${running}. On-demand models: []. List all models at /models`,
  );
}
