import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { AuthOptions } from "./auth/authenticator.ts";
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
  --engine <name>        nlp; echo finds nothing, at once, for load tests; vllm generates, with the
                         routes of vLLM's form (default nlp)
  --streamable           Serve the stream routes in place of those of the model server
  --generative           Serve the generative routes in place of those of the model server
  --legacy-prefix        Serve OpenAI's routes under /v1, not under /openai/v1, as older CMS does
  --token-ms <number>    Least time that a generated token takes, in ms (default 0)
  --seed <number>        The same seed gives the same texts (default 1)
  --auth-user <name>     Ask for a login as this user; needs --auth-password-file
  --auth-password-file <file>
                         The password is the first line of this file
  --auth-seconds <number>
                         How long a login holds (default AUTH_ACCESS_TOKEN_EXPIRE_SECONDS, or 3600);
                         AUTH_JWT_SECRET signs it (default: a new one at each start)
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

type Environment = Readonly<Record<string, string | undefined>>;

const engines = ["nlp", "echo", "vllm"] as const;

export interface CommandLine {
  port: number;
  host: string;
  help: boolean;
  options: NlpServerOptions;
}

/** Reads the command line; what it cannot read it rejects with an error that says so. */
export function parseCommandLine(args: string[], env: Environment = {}): CommandLine {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: "string", default: "8001" },
      host: { type: "string", default: "127.0.0.1" },
      "model-name": { type: "string", default: "nlp" },
      capacity: { type: "string", default: "16" },
      engine: { type: "string", default: "nlp" },
      streamable: { type: "boolean", default: false },
      generative: { type: "boolean", default: false },
      "legacy-prefix": { type: "boolean", default: false },
      "token-ms": { type: "string", default: "0" },
      seed: { type: "string", default: "1" },
      "auth-user": { type: "string" },
      "auth-password-file": { type: "string" },
      "auth-seconds": { type: "string", default: env["AUTH_ACCESS_TOKEN_EXPIRE_SECONDS"] ?? "3600" },
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
  const engine = engines.find((name) => name === values.engine);
  if (!engine) throw new Error(`--engine must be one of ${engines.join(", ")}.`);
  return {
    port: integer("--port", values.port, 0, 65_535),
    host: values.host,
    help: values.help,
    options: {
      modelName: values["model-name"],
      capacity: integer("--capacity", values.capacity, 1, 100_000),
      engine,
      streamable: values.streamable,
      generative: values.generative,
      legacyPrefix: values["legacy-prefix"],
      tokenMs: integer("--token-ms", values["token-ms"], 0, 60_000),
      seed: integer("--seed", values.seed, 0, 2 ** 32 - 1),
      auth: authOf(values["auth-user"], values["auth-password-file"], values["auth-seconds"], env),
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

/** The password comes from a file: a command line can be read by everybody on the machine. */
function authOf(
  user: string | undefined,
  file: string | undefined,
  seconds: string,
  env: Environment,
): AuthOptions | undefined {
  if (user === undefined && file === undefined) return undefined;
  if (user === undefined || file === undefined) {
    throw new Error("--auth-user and --auth-password-file are given together.");
  }
  const [password = ""] = readFileSync(file, "utf8").split(/\r?\n/, 1);
  if (password === "")
    throw new Error("--auth-password-file has an empty first line; write the password there.");
  return {
    users: { [user]: password },
    secret: env["AUTH_JWT_SECRET"],
    lifetimeMs: integer("--auth-seconds", seconds, 1, 31_536_000) * 1_000,
  };
}

/** Credentials come from the environment only: a command line can be read by everybody on the machine. */
function mlflowOf(
  given: string | undefined,
  isRequired: boolean,
  env: Environment,
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
