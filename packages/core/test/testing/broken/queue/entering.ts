import type { Delivery, QueueEntry } from "../../../../src/contracts/queue.ts";
import { type BrokenQueue, eachClient, enqueues, keepsOfFirst, ranksOtherwise, takes } from "./tools.ts";

/** The longest delay that one of these keeps to. */
const LONGEST_MS = 30;
const MOST_AT_ONCE = 500;
const LITTLE = 1e-3;

/** An id that is there already gets a second entry under another name. */
const SECOND = "~2";

export const entering: readonly BrokenQueue[] = [
  {
    fault: "Ranks are kept in too few bits.",
    caughtBy: "the lowest rank of a lane is handed out first, over the whole range of ranks",
    plant: ranksOtherwise(({ rank }) => Math.fround(rank)),
  },
  {
    fault: "Entries of one rank go in the order in which they came.",
    caughtBy: "entries of one rank are handed out in the order of their ids",
    plant: (() => {
      let entered = 0;
      return ranksOtherwise(({ rank }) => {
        entered += 1;
        return rank + entered * LITTLE;
      });
    })(),
  },
  {
    fault: "Lanes are emptied one after the other.",
    caughtBy: "the lowest rank of all lanes that are asked for is handed out first",
    plant: eachClient((client) => ({
      ...client,
      take: async (request, options) => {
        const deliveries: Delivery[] = [];
        for (const lane of request.lanes)
          deliveries.push(
            ...(await client.take(
              { ...request, lanes: [lane], max: request.max - deliveries.length },
              options,
            )),
          );
        return request.lanes.length === 0 ? await client.take(request, options) : deliveries;
      },
    })),
  },
  {
    fault: "What is asked for of each lane is no bound.",
    caughtBy: "a take hands out no more than is asked for of each lane and in all",
    plant: takes((request) => ({ ...request, lanes: request.lanes.map((lane) => ({ ...lane, max: 1000 })) })),
  },
  {
    fault: "To ask for no lane is to ask for all.",
    caughtBy: "a take resolves at once with nothing when nothing is there",
    plant: () => {
      const known = new Set<string>();
      return (client) => ({
        ...client,
        enqueue: (batch, options) => {
          for (const { lane } of batch) known.add(lane);
          return client.enqueue(batch, options);
        },
        take: (request, options) => {
          const all = [...known].map((lane) => ({ lane, background: false, max: 1000 }));
          return client.take(
            { ...request, lanes: request.lanes.length === 0 ? all : request.lanes },
            options,
          );
        },
      });
    },
  },
  {
    fault: "Background entries lie in the same lanes as others.",
    caughtBy: "background entries lie in lanes of their own",
    plant: takes((request) => {
      const lanes = request.lanes.flatMap((lane) => [
        { ...lane, background: true },
        { ...lane, background: false },
      ]);
      return { ...request, lanes };
    }),
  },
  {
    fault: "A batch that is too large for one statement is cut.",
    caughtBy: "a large batch is handed out once, whole",
    plant: eachClient((client) => ({
      ...client,
      enqueue: (batch, options) => client.enqueue(batch.slice(0, MOST_AT_ONCE), options),
    })),
  },
  {
    fault: "Names of lanes lose the spaces around them.",
    caughtBy: "an entry is handed out as it was enqueued, to any client",
    plant: eachClient((client) => ({
      ...client,
      enqueue: (batch, options) =>
        client.enqueue(
          batch.map((entry) => ({ ...entry, lane: entry.lane.trim() })),
          options,
        ),
      take: (request, options) => {
        const lanes = request.lanes.map((each) => ({ ...each, lane: each.lane.trim() }));
        return client.take({ ...request, lanes }, options);
      },
    })),
  },
  {
    fault: "The same entry again is a second one.",
    caughtBy: "an id that waits already keeps one entry",
    plant: () => {
      const known = new Map<string, string>();
      const nameOf = ({ id, ...entry }: QueueEntry): string => {
        const text = JSON.stringify(entry);
        const isAgain = known.get(id) === text;
        known.set(id, text);
        return isAgain ? `${id}${SECOND}` : id;
      };
      return (client) => ({
        ...client,
        enqueue: (batch, options) =>
          client.enqueue(
            batch.map((entry) => ({ ...entry, id: nameOf(entry) })),
            options,
          ),
        take: async (request, options) =>
          (await client.take(request, options)).map((each) => ({ ...each, id: each.id.replace(SECOND, "") })),
        audit: async (cursor, limit, options) => {
          const page = await client.audit(cursor, limit, options);
          return { ...page, items: page.items.filter((id) => !id.includes(SECOND)) };
        },
      });
    },
  },
  {
    fault: "An id that waits keeps its first rank.",
    caughtBy: "an id that is enqueued again takes its new rank",
    plant: keepsOfFirst(({ rank }) => ({ rank })),
  },
  {
    fault: "An id that waits stays in its first lane.",
    caughtBy: "an id that is enqueued again takes its new lane",
    plant: keepsOfFirst(({ lane }) => ({ lane })),
  },
  {
    fault: "An id that waits keeps its first delay.",
    caughtBy: "an id that is enqueued again takes its new delay",
    plant: keepsOfFirst(({ delayMs }) => ({ delayMs })),
  },
  {
    fault: "Long delays are cut.",
    caughtBy: "an entry is handed out after its delay, and not before",
    plant: enqueues((entry) => ({ ...entry, delayMs: Math.min(LONGEST_MS, entry.delayMs) })),
  },
  {
    fault: "Who takes an entry out leaves it to its taker.",
    caughtBy: "what is removed is handed out no more, whether it waited, was delayed or delivered",
    plant: () => {
      const delivered = new Set<string>();
      return (client) => ({
        ...client,
        take: async (request, options) => {
          const deliveries = await client.take(request, options);
          for (const { id } of deliveries) delivered.add(id);
          return deliveries;
        },
        remove: (ids, options) =>
          client.remove(
            ids.filter((id) => !delivered.has(id)),
            options,
          ),
      });
    },
  },
];
