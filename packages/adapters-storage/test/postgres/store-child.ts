import { postgresStore } from "../../src/postgres/store.ts";

// What the processes of the tests do: node store-child.js URL SCHEMA COMMAND [ARGUMENT]. They print one line for each
// thing that the store has acknowledged.

const [url = "", schema = "", command = "", argument = ""] = process.argv.slice(2);
const { records, tasks, wakeups, close } = postgresStore({ url, schema });

const COMMANDS: Record<string, () => Promise<void>> = {
  /** Opens the store together with others, which the end of the input tells, and says that it could write. */
  async open() {
    for await (const _ of process.stdin);
    const written = await records.put(`by/${argument}`, true, null);
    console.log(written === undefined ? "lost" : "opened");
    await close();
  },
  /** Subscribes, hears its own hint, and leaves without closing. */
  async leave() {
    const heard = new Promise<void>((resolve) => {
      wakeups.subscribe("work", () => resolve());
    });
    const publish = setInterval(() => void wakeups.publish("work", ["m"]), 10);
    await heard;
    clearInterval(publish);
    console.log("heard");
  },
  /**
   * Claims 400 tasks in small batches, "a" from the first and "b" from the last, for two servers that have room for 300,
   * and prints the ids that it got; after one batch it waits for the end of the input.
   */
  async claim() {
    const names = { runner: argument, incarnation: "1", leaseMs: 60_000, sequence: 1 };
    await tasks.apply({
      ...names,
      acknowledged: 0,
      settle: [],
      renew: [],
      recover: 0,
      release: [],
      servers: [],
    });
    const servers = [
      { server: "s", limit: 100 },
      { server: "t", limit: 200 },
    ];
    for (let batch = 0; batch < 40; batch += 1) {
      if (batch === 1) for await (const _ of process.stdin);
      const at = 10 * (argument === "a" ? batch : 39 - batch);
      const claims = Array.from({ length: 10 }, (_, index) => ({ id: `t${at + index}`, servers }));
      const outcomes = await tasks.claim({ ...names, claims });
      const granted = outcomes.flatMap((item) => (item.outcome === "granted" ? [item.grant.task.id] : []));
      console.log(JSON.stringify(granted));
    }
    await close();
  },
  async hear() {
    wakeups.subscribe("ended", (names) => console.log(names.join(" ")));
    process.stdin.on("data", () => {}).on("end", () => void close());
  },
};
await COMMANDS[command]?.();
