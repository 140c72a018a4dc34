import { GatewayError } from "../../../../src/errors.ts";
import { type DeployerFault, planted, plantedForAll, serverOf, unless } from "./tools.ts";

export const owning: readonly DeployerFault[] = [
  planted(
    "removes what another installation made",
    "to remove another installation's server rejects with NOT_OURS, and it runs on",
    (good, engine) => ({
      remove: (id, options) =>
        unless("NOT_OURS", good.remove(id, options), async (error) => {
          const { installation } = serverOf(engine, id)?.identity ?? {};
          if (installation === undefined) throw error;
          await good.remove(id, { ...options, installation });
        }),
    }),
  ),
  planted(
    "stops a stranger's server before it looks whose it is",
    "to remove a stranger's server rejects with NOT_OURS, and leaves it untouched",
    (good, engine) => ({
      remove: (id, options) =>
        unless("NOT_OURS", good.remove(id, options), (error) => {
          if (serverOf(engine, id)?.identity === undefined) engine.kill(id);
          throw error;
        }),
    }),
  ),
  planted(
    "shows what another installation's server wrote",
    "to read what another installation's server wrote rejects with NOT_OURS",
    (good, engine) => ({
      async *logs(id, options) {
        const { installation = options.installation } = serverOf(engine, id)?.identity ?? {};
        yield* good.logs(id, { ...options, installation });
      },
    }),
  ),
  planted(
    "takes the beginning of an installation's name for the whole",
    "list shows the servers of one installation, and no others",
    (good, engine) => ({
      async list(installation, options) {
        const own = await good.list(installation, options);
        const others = new Set(engine.servers.flatMap(({ identity }) => identity?.installation ?? []));
        const longer = [...others].filter((other) => other.slice(0, -1) === installation);
        return [...own, ...(await Promise.all(longer.map((other) => good.list(other, options)))).flat()];
      },
    }),
  ),
  planted(
    "names no holder",
    "a second server of a model meets NAME_TAKEN with its holder, whatever the holder's state, and nothing is made",
    (good) => ({
      create: (...call) =>
        unless("NAME_TAKEN", good.create(...call), () => {
          throw new GatewayError("NAME_TAKEN", "the name is taken");
        }),
    }),
  ),
  plantedForAll(
    "tells two who make a server at once that both have",
    "of many who make a server of one model at once, exactly one does, and the others meet NAME_TAKEN",
    () => {
      const underWay = new Map<string, number>();
      return (good) => ({
        async create(spec, identity, options) {
          const { model, installation } = identity;
          const isAlone = (underWay.get(model) ?? 0) === 0;
          underWay.set(model, (underWay.get(model) ?? 0) + 1);
          const creating = good.create(spec, identity, options);
          try {
            return await unless("NAME_TAKEN", creating, async (error) => {
              const holder = (await good.list(installation)).find((server) => server.model === model);
              if (isAlone || holder === undefined) throw error;
              return holder;
            });
          } finally {
            underWay.set(model, (underWay.get(model) ?? 1) - 1);
          }
        },
      });
    },
  ),
  planted(
    "tells the ids of other installations' servers",
    "a model's name that another installation's server has is taken, and its holder is not told",
    (good, engine) => ({
      create: (spec, identity, options) =>
        unless("NAME_TAKEN", good.create(spec, identity, options), (error) => {
          const holder = engine.servers.find(({ name }) => name === identity.model)?.id ?? "";
          throw new GatewayError("NAME_TAKEN", error.message, { details: { holder } });
        }),
    }),
  ),
  planted(
    "prepares a model that a stranger's server answers to",
    "a model's name that a stranger's server answers to is taken",
    (good, engine) => ({
      prepare: (spec, identity, options) =>
        unless("NAME_TAKEN", good.prepare(spec, identity, options), (error) => {
          const holder = engine.servers.find(({ name }) => name === identity.model);
          if (holder?.identity !== undefined) throw error;
        }),
    }),
  ),
  planted(
    "takes its own server for somebody else's",
    "prepare resolves for a model that has a server of this installation",
    (good, engine) => ({
      async prepare(spec, identity, options) {
        await good.prepare(spec, identity, options);
        if (engine.servers.some(({ name }) => name === identity.model)) {
          throw new GatewayError("NAME_TAKEN", "the name is taken");
        }
      },
    }),
  ),
  planted(
    "folds the letters of a model's name",
    "models whose names are alike have servers of their own, or are refused with INVALID_REQUEST",
    (good, engine) => ({
      async create(spec, identity, options) {
        const alike = identity.model.toLowerCase();
        if (engine.servers.some(({ name }) => name.toLowerCase() === alike && name !== identity.model)) {
          throw new GatewayError("NAME_TAKEN", "the name is taken");
        }
        return await good.create(spec, identity, options);
      },
    }),
  ),
  plantedForAll("numbers the names of servers", "a server's name follows from its model alone", () => {
    let made = 0;
    const names = new Map<string, string>();
    return (good) => ({
      async create(...call) {
        const server = await good.create(...call);
        made += 1;
        names.set(server.id, `${server.name}-${made}`);
        return { ...server, name: names.get(server.id) as string };
      },
      list: async (...call) =>
        (await good.list(...call)).map((server) => ({
          ...server,
          name: names.get(server.id) ?? server.name,
        })),
    });
  }),
];
