import { parseArgs } from "node:util";
import type { NlpServerOptions } from "./server.ts";

export const help = `Usage: node dist/main.js [options]

A model server with the API of CogStack ModelServe around small packaged NLP models.

  --port <number>        Port to listen on; 0 takes any free one (default 8001)
  --host <address>       Address to listen on (default 127.0.0.1)
  --model-name <name>    Name of the model in /info (default nlp)
  --capacity <number>    Most work requests at once; the next is answered with 503 (default 16)
  --engine <nlp|echo>    echo finds nothing, at once, for load tests (default nlp)
  --run-ms <number>      Least time that a training or evaluation takes, in ms (default 0)
  --faults               Open the control routes /_faults and /_stats, for tests
  --help                 Show this text
`;

export interface CommandLine {
  port: number;
  host: string;
  help: boolean;
  options: NlpServerOptions;
}

/** Reads the command line; what it cannot read it rejects with an error that says so. */
export function parseCommandLine(args: string[]): CommandLine {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: "string", default: "8001" },
      host: { type: "string", default: "127.0.0.1" },
      "model-name": { type: "string", default: "nlp" },
      capacity: { type: "string", default: "16" },
      engine: { type: "string", default: "nlp" },
      "run-ms": { type: "string", default: "0" },
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
      faults: values.faults,
    },
  };
}

function integer(flag: string, value: string, least: number, most: number): number {
  const number = Number(value);
  if (value.trim() === "" || !Number.isInteger(number) || number < least || number > most) {
    throw new Error(`${flag} must be an integer from ${least} to ${most}.`);
  }
  return number;
}
