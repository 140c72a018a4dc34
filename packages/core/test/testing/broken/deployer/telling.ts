import type { DeployedServer } from "../../../../src/contracts/deployer.ts";
import { GatewayError } from "../../../../src/errors.ts";
import { type DeployerFault, planted, told, unless } from "./tools.ts";

export const telling: readonly DeployerFault[] = [
  told(
    "keeps addresses on one line",
    "a server says which deployment it is, in every state, letter by letter",
    (server) => (server.modelUri === undefined ? server : { ...server, modelUri: oneLine(server.modelUri) }),
  ),
  planted(
    "lists what another process made only when it looks a second time",
    "list holds a server as soon as create has resolved, also for another process",
    (good) => {
      const made = new Set<string>();
      let seen: Set<string> | undefined;
      return {
        create(spec, identity, ...call) {
          made.add(identity.model);
          return good.create(spec, identity, ...call);
        },
        async list(...call) {
          const found = await good.list(...call);
          const known = seen ?? new Set(found.map(({ id }) => id));
          seen = new Set(found.map(({ id }) => id));
          return found.filter(({ id, model }) => made.has(model) || known.has(id));
        },
      };
    },
  ),
  told(
    "mistakes exit codes",
    "a server that ended by itself is listed as stopped, with its exit code",
    (server) => (server.exit?.code === 3 ? { ...server, exit: { code: 1, isOutOfMemory: false } } : server),
  ),
  told(
    "says of a server that was not started how it ended",
    "a server that was not started or that runs has no exit",
    (server) =>
      server.state === "created" ? { ...server, exit: { code: 0, isOutOfMemory: false } } : server,
  ),
  told(
    "lists no server that was killed",
    "a server that was killed is listed as stopped, and keeps its name",
    (server) => (server.exit?.code === 137 && !server.exit.isOutOfMemory ? undefined : server),
  ),
  told(
    "does not say that memory ran out",
    "a server that took more memory than it may is listed as stopped, and says so",
    (server): DeployedServer =>
      server.exit === undefined ? server : { ...server, exit: { ...server.exit, isOutOfMemory: false } },
  ),
  planted(
    "loses a line break at the end of an argument",
    "arguments reach the process byte for byte",
    (good) => ({
      create: (spec, ...call) =>
        good.create(
          { ...spec, ...(spec.command && { command: spec.command.map(withoutLastBreak) }) },
          ...call,
        ),
    }),
  ),
  planted(
    "lets a shell read the values of variables",
    "values of variables reach the process byte for byte",
    (good) => ({
      create: (spec, ...call) => {
        const read = Object.entries(spec.env ?? {}).map(([name, value]) => [
          ...[name, value.replaceAll("$HOME", "/root")],
        ]);
        return good.create({ ...spec, env: Object.fromEntries(read) as Record<string, string> }, ...call);
      },
    }),
  ),
  planted(
    "names no field",
    "a spec that no engine could run is refused with INVALID_REQUEST, which names the field",
    (good) => ({
      create: (...call) =>
        unless("INVALID_REQUEST", good.create(...call), (error) => {
          if (error.details["field"] !== "port") throw error;
          throw new GatewayError("INVALID_REQUEST", error.message);
        }),
    }),
  ),
  planted(
    "leaves out what cannot be in a name",
    "a model's name that cannot be kept is refused with INVALID_REQUEST",
    (good) => ({
      create: (spec, identity, ...call) =>
        good.create(spec, { ...identity, model: identity.model.replaceAll("\u0000", "") }, ...call),
    }),
  ),
];

function oneLine(text: string): string {
  return text.replaceAll("\n", " ");
}

function withoutLastBreak(text: string): string {
  return text.replace(/(?<=.)\n$/, "");
}
