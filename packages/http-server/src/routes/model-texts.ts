import type { Gateway } from "@modelgate/core";
import { invalidField, problem } from "../answers.ts";
import type { ResponseView } from "../exchange.ts";
import { pythonList } from "../python-text.ts";

export function runningModels(gateway: Gateway): string[] {
  return gateway
    .models()
    .filter((model) => model.isRunning)
    .map((model) => model.name);
}

const MAX_NAME = 256;

/** The refusal of a name that no model can have; only looked for once no model of that name was found. */
function impossibleName(name: string): ResponseView | undefined {
  const loc = ["path", "model"];
  if (name.length > MAX_NAME) return invalidField(loc, `A model's name has ${MAX_NAME} characters at most`);
  if (name === "." || name === "..") return invalidField(loc, "A model's name is not . or ..");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
  return /[\0-\x1f\x7f]/.test(name)
    ? invalidField(loc, "A model's name has no control characters")
    : undefined;
}

/** The text, with its missing space, is what callers know. */
export function modelNotFound(gateway: Gateway, name: string): ResponseView {
  const impossible = impossibleName(name);
  if (impossible !== undefined) return impossible;
  const running = pythonList(runningModels(gateway));
  return problem(
    404,
    `Model '${name}' not found: * Running models: ${running}. * On-demand models: [].You can list all available models at /models.`,
    { code: "MODEL_UNKNOWN" },
  );
}

export function modelNotAvailable(gateway: Gateway, name: string): ResponseView {
  const impossible = impossibleName(name);
  if (impossible !== undefined) return impossible;
  const running = pythonList(runningModels(gateway));
  return problem(
    503,
    `Model '${name}' is not available. Running models: ${running}. On-demand models: []. List all models at /models`,
    { code: "MODEL_UNKNOWN" },
  );
}
