import { GatewayError } from "../../../../src/errors.ts";
import { type DeployerFault, linesAs, planted, serverOf, unless } from "./tools.ts";

export const writing: readonly DeployerFault[] = [
  planted(
    "shows logs that it does not claim",
    "logs rejects with UNSUPPORTED where it is not claimed",
    (good) => ({
      capabilities: { ...good.capabilities, logs: false },
    }),
  ),
  planted(
    "leaves out empty lines",
    "what a server wrote comes line by line, oldest first, each with its stream",
    (good) => ({
      logs: (...call) => linesAs(good.logs(...call), (line) => (line.text === "" ? undefined : line)),
    }),
  ),
  planted(
    "shows all lines when it is not told how many",
    "the last lines come first: 100 of them, or as many as asked for",
    (good) => ({
      logs: (id, options) => good.logs(id, { ...options, tail: options.tail ?? 1000 }),
    }),
  ),
  planted(
    "knows no server that was not started",
    "what a server wrote can be read after it ended, and before it was started",
    (good, engine) => ({
      async *logs(id, options) {
        yield* good.logs(id, options);
        if (serverOf(engine, id)?.state === "created")
          throw new GatewayError("DEPLOYMENT_UNKNOWN", "it is none");
      },
    }),
  ),
  planted(
    "has an empty log for what is gone",
    "logs of what is gone rejects with DEPLOYMENT_UNKNOWN",
    (good) => ({
      async *logs(id, options) {
        try {
          yield* good.logs(id, options);
        } catch (error) {
          if (!GatewayError.is(error, "DEPLOYMENT_UNKNOWN")) throw error;
        }
      },
    }),
  ),
  planted(
    "goes on to follow a server that was removed",
    "who follows is told what was written and goes on, until the server ends",
    (good, engine) => ({
      async *logs(id, options) {
        const endsByItself = serverOf(engine, id)?.spec.env?.["EXIT_CODE"] !== undefined;
        yield* good.logs(id, options);
        if (options.follow && !endsByItself) await new Promise(() => {});
      },
    }),
  ),
  planted("follows on after an abort", "an abort ends what is followed with its reason", (good) => ({
    async *logs(id, options) {
      options.signal?.throwIfAborted();
      yield* good.logs(id, { ...options, signal: undefined });
    },
  })),
  planted(
    "waits for the next line when nobody reads on",
    "who stops reading may do so at any line",
    (good) => ({
      logs(...call) {
        const iterator = good.logs(...call)[Symbol.asyncIterator]();
        const lines = { next: () => iterator.next(), return: () => new Promise<never>(() => {}) };
        return { [Symbol.asyncIterator]: () => lines };
      },
    }),
  ),
  planted(
    "masks nothing",
    "values of secret variables are masked in what a server wrote, and the rest is not",
    (good) => ({
      create: (spec, ...call) => good.create({ ...spec, secretEnv: [] }, ...call),
    }),
  ),
  planted(
    "lists variables",
    "values of secret variables are neither listed nor told by create",
    (good, engine) => ({
      list: async (...call) =>
        (await good.list(...call)).map((server) => ({
          ...server,
          env: serverOf(engine, server.id)?.spec.env,
        })),
    }),
  ),
  planted("puts the spec into its errors", "values of secret variables are in no error", (good) => ({
    prepare: (spec, ...call) =>
      unless("IMAGE_MISSING", good.prepare(spec, ...call), () => {
        throw new GatewayError("IMAGE_MISSING", `it is not there: ${JSON.stringify(spec)}`);
      }),
  })),
  planted("hides secrets from the process too", "a process receives its secrets as they are", (good) => ({
    create(spec, ...call) {
      const { env = {}, secretEnv = [] } = spec;
      if (env["LINES"] !== undefined) return good.create(spec, ...call);
      const hidden = Object.keys(env).filter(
        (name) => secretEnv.includes(name) && !env[name]?.includes("\u0000"),
      );
      const masked = Object.fromEntries(hidden.map((name) => [name, "***"]));
      return good.create({ ...spec, env: { ...env, ...masked } }, ...call);
    },
  })),
];
