import { type BrokenQueue, eachClient } from "./tools.ts";

export const telling: readonly BrokenQueue[] = [
  {
    fault: "What is delayed is not counted.",
    caughtBy: "what waits and what is delivered is counted, the delayed among what waits",
    plant: () => {
      const delayed = new Set<string>();
      return (client) => ({
        ...client,
        enqueue: (batch, options) => {
          for (const { id, delayMs } of batch) if (delayMs > 0) delayed.add(id);
          return client.enqueue(batch, options);
        },
        stats: async (options) => {
          const stats = await client.stats(options);
          return { ...stats, waiting: stats.waiting - delayed.size };
        },
      });
    },
  },
  {
    fault: "What is delayed counts as ready.",
    caughtBy:
      "what is ready is counted for each lane that is asked for, without what is delayed or delivered",
    plant: () => {
      const delayed = new Map<string, number>();
      return (client) => ({
        ...client,
        enqueue: (batch, options) => {
          for (const { lane, delayMs } of batch)
            if (delayMs > 0) delayed.set(lane, (delayed.get(lane) ?? 0) + 1);
          return client.enqueue(batch, options);
        },
        stats: async (options) => {
          const stats = await client.stats(options);
          const ready = stats.ready?.map((count, at) => {
            const { lane = "", background } = options?.lanes?.[at] ?? {};
            return background ? count : count + (delayed.get(lane) ?? 0);
          });
          return { ...stats, ready };
        },
      });
    },
  },
  {
    fault: "An audit misses what is delivered.",
    caughtBy: "an audit tells the ids of all entries in order, also of those that are delayed or delivered",
    plant: () => {
      const delivered = new Set<string>();
      return (client) => ({
        ...client,
        take: async (request, options) => {
          const deliveries = await client.take(request, options);
          for (const { id } of deliveries) delivered.add(id);
          return deliveries;
        },
        audit: async (cursor, limit, options) => {
          const page = await client.audit(cursor, limit, options);
          return { ...page, items: page.items.filter((id) => !delivered.has(id)) };
        },
      });
    },
  },
  {
    fault: "The cursor of an audit counts entries, so that others' writes move it.",
    caughtBy: "an audit tells each entry that is there all the while exactly once, whatever others do",
    plant: eachClient((client) => ({
      ...client,
      audit: async (cursor, limit, options) => {
        const { items } = await client.audit(undefined, 1e6, options);
        const from = Number(cursor ?? 0);
        const nextCursor = from + limit < items.length ? String(from + limit) : undefined;
        return { items: items.slice(from, from + limit), nextCursor };
      },
    })),
  },
  {
    fault: "The incarnation changes with every removal.",
    caughtBy: "the incarnation stays the same as long as nothing is lost, for every client",
    plant: () => {
      let removals = 0;
      return (client) => ({
        ...client,
        remove: async (ids, options) => {
          await client.remove(ids, options);
          removals += 1;
        },
        incarnation: async (options) => `${await client.incarnation(options)} ${removals}`,
      });
    },
  },
  {
    fault: "Each client has an incarnation of its own.",
    caughtBy: "the incarnation stays the same as long as nothing is lost, for every client",
    plant: () => {
      let clients = 0;
      return (client) => {
        clients += 1;
        const number = clients;
        return {
          ...client,
          incarnation: async (options) => `${await client.incarnation(options)} ${number}`,
        };
      };
    },
  },
  {
    fault: "The incarnation is the same after a loss.",
    caughtBy: "the incarnation changes when what was in it is lost",
    plant: eachClient((client) => ({
      ...client,
      incarnation: async (options) => {
        await client.incarnation(options);
        return "always";
      },
    })),
  },
  {
    fault: "After two losses the incarnation is the first again.",
    caughtBy: "the incarnation changes when what was in it is lost",
    plant: eachClient((client) => ({
      ...client,
      incarnation: async (options) => String(Number(await client.incarnation(options)) % 2),
    })),
  },
  {
    fault: "A take does not look at its signal.",
    caughtBy: "a call whose signal was aborted before rejects with the signal's reason, and does nothing",
    plant: eachClient((client) => ({ ...client, take: (request) => client.take(request) })),
  },
  {
    fault: "A closed queue still counts.",
    caughtBy: "a closed queue rejects every call with CLOSED, however often it is closed",
    plant: (backend) => (client) => ({ ...client, stats: (options) => backend.stats(options) }),
  },
];
