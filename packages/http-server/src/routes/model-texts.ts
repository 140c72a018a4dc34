import type { Configuration, Gateway } from "@modelgate/core";
import { invalidField, type ProblemOptions, problem } from "../answers.ts";
import type { ResponseView } from "../exchange.ts";
import { pythonList } from "../python-text.ts";

function runningModels(gateway: Gateway): string[] {
  return gateway
    .models()
    .filter((model) => model.isRunning)
    .map((model) => model.name);
}

/** Enabled configurations by model, without those of models that run. */
async function onDemandModels(
  { deployments }: Gateway,
  running: readonly string[],
): Promise<readonly Configuration[]> {
  if (deployments === undefined) return [];
  const names = new Set(running);
  return (await deployments.configurations.list()).filter(({ model }) => !names.has(model));
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
export async function modelNotFound(gateway: Gateway, name: string): Promise<ResponseView> {
  const impossible = impossibleName(name);
  if (impossible !== undefined) return impossible;
  const { running, onDemand } = await knownModels(gateway);
  return problem(
    404,
    `Model '${name}' not found: * Running models: ${running}. * On-demand models: ${onDemand}.You can list all available models at /models.`,
    { code: "MODEL_UNKNOWN" },
  );
}

/** `options` say why a model that is deployed is not there yet. */
export async function modelNotAvailable(
  gateway: Gateway,
  name: string,
  options: ProblemOptions = { code: "MODEL_UNKNOWN" },
): Promise<ResponseView> {
  const impossible = impossibleName(name);
  if (impossible !== undefined) return impossible;
  const { running, onDemand } = await knownModels(gateway);
  return problem(
    503,
    `Model '${name}' is not available. Running models: ${running}. On-demand models: ${onDemand}. List all models at /models`,
    options,
  );
}

async function knownModels(
  gateway: Gateway,
): Promise<{ readonly running: string; readonly onDemand: string }> {
  const running = runningModels(gateway);
  const onDemand = await onDemandModels(gateway, running);
  return { running: pythonList(running), onDemand: pythonList(onDemand.map(({ model }) => model)) };
}
