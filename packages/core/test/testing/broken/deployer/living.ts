import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError } from "../../../../src/errors.ts";
import { type DeployerFault, planted, plantedForAll, serverOf, unless } from "./tools.ts";

export const living: readonly DeployerFault[] = [
  planted(
    "says of a server that it runs before it was started",
    "a server is made, started and removed, and listed accordingly",
    (good) => ({
      create: async (...call) => ({ ...(await good.create(...call)), state: "running" }),
    }),
  ),
  planted(
    "gives out its own ids for those of the discovery",
    "a discovery of the same engine lists a server under its serverId, until it is removed",
    (good) => {
      const withOwnId = <S extends { readonly id: string }>(server: S): S => ({
        ...server,
        serverId: server.id,
      });
      return {
        create: async (...call) => withOwnId(await good.create(...call)),
        list: async (...call) => (await good.list(...call)).map(withOwnId),
      };
    },
  ),
  planted(
    "rejects when what it is to start runs",
    "a server that runs may be started again, by many at once, and runs on",
    (good, engine) => ({
      async start(id, options) {
        if (serverOf(engine, id)?.state === "running")
          throw new GatewayError("START_FAILED", "it runs already");
        await good.start(id, options);
      },
    }),
  ),
  planted(
    "says nothing when what it is to start is gone",
    "to start what is gone rejects with DEPLOYMENT_UNKNOWN",
    (good) => ({
      start: (id, options) => unless("DEPLOYMENT_UNKNOWN", good.start(id, options), () => {}),
    }),
  ),
  planted(
    "resolves a removal before the server is gone",
    "a server may be removed in every state, and when remove resolves it is gone and its name is free",
    (good, engine) => ({
      async remove(id, options) {
        if (serverOf(engine, id)?.state !== "stopped") return await good.remove(id, options);
        setTimeout(() => void good.remove(id, options).catch(() => {}), 20);
      },
    }),
  ),
  plantedForAll(
    "rejects when what it is to remove is gone",
    "what is gone may be removed again, and by many at once",
    () => {
      const gone = new Set<string>();
      return (good, engine) => ({
        async remove(id, options) {
          const wasThere = serverOf(engine, id) !== undefined;
          if (gone.has(id)) throw new GatewayError("DEPLOYMENT_UNKNOWN", "it is gone");
          await good.remove(id, options);
          if (wasThere) gone.add(id);
        },
      });
    },
  ),
  planted(
    "waits until a server ends by itself",
    "a server that goes on when it is asked to stop is killed after the grace",
    (good) => ({
      remove: (id, options) => good.remove(id, { ...options, graceMs: 1_000_000 }),
    }),
  ),
  planted(
    "starts only what it made itself",
    "what one process made, another starts, lists and removes",
    (good, engine) => {
      const made = new Set<string>();
      return {
        async create(...call) {
          const server = await good.create(...call);
          made.add(server.id);
          return server;
        },
        async start(id, options) {
          if (serverOf(engine, id)?.identity?.installation === options.installation && !made.has(id)) {
            throw new GatewayError("DEPLOYMENT_UNKNOWN", "it was made by somebody else");
          }
          await good.start(id, options);
        },
      };
    },
  ),
  planted(
    "does not say that a start failed",
    "a server that cannot be started rejects with START_FAILED, and can be removed",
    (good) => ({
      start: (id, options) =>
        unless("START_FAILED", good.start(id, options), () => {
          throw new GatewayError("DEPLOYER_REFUSED", "no");
        }),
    }),
  ),
  planted(
    "removes all servers with the one that it is to remove",
    "servers of several models live side by side",
    (good, engine) => ({
      async remove(id, options) {
        await good.remove(id, options);
        for (const { id: other, identity } of engine.servers) {
          if (identity?.installation === options.installation) await good.remove(other, options);
        }
      },
    }),
  ),
  planted(
    "starts a server of somebody else",
    "another installation's server is not started",
    (good, engine) => ({
      start: (id, options) =>
        unless("NOT_OURS", good.start(id, options), async () => {
          await sleep(1);
          const { installation = "" } = serverOf(engine, id)?.identity ?? {};
          await good.start(id, { ...options, installation });
        }),
    }),
  ),
];
