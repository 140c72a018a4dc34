import { parseArgs } from "node:util";
import { Refusal } from "./http/answer.ts";
import { type Behaviour, parseBehaviourList } from "./runs/behaviours.ts";
import type { NlpServerOptions } from "./server.ts";
import type { MlflowOptions } from "./tracker/mlflow-client.ts";

export const help = `Usage: node dist/main.js [options]

A model server with the API of CogStack ModelServe around small packaged NLP models.

  --port <number>        Port to listen on; 0 takes any free one (default 8001)
  --host <address>       Address to listen on (default 127.0.0.1)
  --model-name <name>    Name of the model in /info (default nlp)
  --capacity <number>    Most work requests at once; the next is answered with 503 (default 16)
  --engine <nlp|echo>    echo finds nothing, at once, for load tests (default nlp)
  --run-ms <number>      Least time that a training or evaluation takes, in ms (default 0)
  --metacat              Open /train_metacat; DISABLE_METACAT_TRAINING=false does the same
  --mlflow-url <url>     Log runs to this MLflow (default MLFLOW_TRACKING_URI, if it begins with http)
  --mlflow-required      Refuse trainings while MLflow is away; without it they go on in memory
  --runs-journal <file>  Add a line to this file when a training begins and when it ends
  --behaviour <names>    Misbehave as real servers do; see the README for the names
  --rate-limit <number>  Requests a minute to /process; as in CMS half of them get through (default: all)
  --faults               Open the control routes /_faults, /_behaviour and /_stats, for tests
  --help                 Show this text
`;

export interface CommandLine {
  port: number;
  host: string;
  help: boolean;
  options: NlpServerOptions;
}

/** Reads the command line; what it cannot read it rejects with an error that says so. */
export function parseCommandLine(
  args: string[],
  env: Readonly<Record<string, string | undefined>> = {},
): CommandLine {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: "string", default: "8001" },
      host: { type: "string", default: "127.0.0.1" },
      "model-name": { type: "string", default: "nlp" },
      capacity: { type: "string", default: "16" },
      engine: { type: "string", default: "nlp" },
      "run-ms": { type: "string", default: "0" },
      metacat: { type: "boolean", default: env["DISABLE_METACAT_TRAINING"]?.toLowerCase() === "false" },
      "mlflow-url": { type: "string" },
      "mlflow-required": { type: "boolean", default: false },
      "runs-journal": { type: "string" },
      behaviour: { type: "string", multiple: true, default: [] },
      "rate-limit": { type: "string" },
      faults: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.engine !== "nlp" && values.engine !== "echo") throw new Error("--engine must be nlp or echo.");
  return {
    port: integer("--port", values.port, 0, 65_535),
    host: values.host,
    help: values.help,
    options: {
      modelName: values["model-name"],
      capacity: integer("--capacity", values.capacity, 1, 100_000),
      engine: values.engine,
      runMs: integer("--run-ms", values["run-ms"], 0, 86_400_000),
      metacat: values.metacat,
      mlflow: mlflowOf(values["mlflow-url"], values["mlflow-required"], env),
      runsJournal: values["runs-journal"],
      behaviours: values.behaviour.flatMap(behavioursIn),
      rateLimit:
        values["rate-limit"] === undefined
          ? undefined
          : integer("--rate-limit", values["rate-limit"], 1, 1_000_000),
      faults: values.faults,
    },
  };
}

/** Credentials come from the environment only: a command line can be read by everybody on the machine. */
function mlflowOf(
  given: string | undefined,
  isRequired: boolean,
  env: Readonly<Record<string, string | undefined>>,
): MlflowOptions | undefined {
  if (given !== undefined && !/^https?:\/\//.test(given)) {
    throw new Error("--mlflow-url must begin with http:// or https://.");
  }
  // CMS takes folders and databases too; a run is then kept in memory here.
  const url = given ?? env["MLFLOW_TRACKING_URI"];
  if (url === undefined || !/^https?:\/\//.test(url)) return undefined;
  return {
    url,
    username: env["MLFLOW_TRACKING_USERNAME"],
    password: env["MLFLOW_TRACKING_PASSWORD"],
    token: env["MLFLOW_TRACKING_TOKEN"],
    isRequired,
  };
}

function behavioursIn(list: string): Behaviour[] {
  try {
    return parseBehaviourList(list);
  } catch (error) {
    if (!(error instanceof Refusal) || typeof error.answer.body !== "string") throw error;
    throw new Error(`--behaviour: ${(JSON.parse(error.answer.body) as { message: string }).message}`);
  }
}

function integer(flag: string, value: string, least: number, most: number): number {
  const number = Number(value);
  if (value.trim() === "" || !Number.isInteger(number) || number < least || number > most) {
    throw new Error(`${flag} must be an integer from ${least} to ${most}.`);
  }
  return number;
}
