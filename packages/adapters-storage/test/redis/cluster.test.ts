import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Cluster } from "ioredis";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  inspectRedis,
  type RedisBroker,
  type RedisBrokerOptions,
  redisBroker,
} from "../../src/redis/index.ts";
import { NEEDED_COMMANDS } from "../../src/redis/inspect-rights.ts";
import { requireService } from "../support/services.ts";
import { type BareRedis, bareRedis, freePort, SOON } from "./own-redis.ts";

const isThere = requireService("REDIS_URL") !== undefined;

async function startCluster(): Promise<BareRedis[]> {
  const nodes = await Promise.all(
    [0, 1, 2].map(async () =>
      bareRedis([
        "cluster-enabled yes",
        `cluster-port ${await freePort()}`,
        "cluster-node-timeout 1000",
        'save ""',
      ]),
    ),
  );
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
  const args = ["--cluster", "create", ...addresses, "--cluster-yes"];
  await promisify(execFile)("redis-cli", args);
  for (const node of nodes)
    await vi.waitFor(async () => expect(await node.ask("cluster", "info")).toMatch(/cluster_state:ok/), SOON);
  return nodes;
}

function open(options: RedisBrokerOptions): RedisBroker {
  const broker = redisBroker({ onWarning: () => {}, ...options });
  onTestFinished(() => broker.close());
  return broker;
}

const lane = { lane: "m", background: false };

/** Entries go in and come out, and a wake-up reaches the other. */
async function work(one: RedisBroker, other: RedisBroker): Promise<void> {
  const ids = Array.from({ length: 20 }, (_, index) => `t${index}`.padStart(4, "-"));
  await one.queue.enqueue(ids.map((id) => ({ id, ...lane, rank: 1, delayMs: 0 })));
  const taken = await other.queue.take({ lanes: [{ ...lane, max: 20 }], max: 20, visibilityMs: 10_000 });
  expect(taken.map(({ id }) => id)).toEqual(ids.toSorted());
  await other.queue.settle(taken.map(({ receipt }) => ({ receipt, kind: "done" as const })));
  const heard: string[] = [];
  const stop = other.wakeups.subscribe("work", (names) => heard.push(...names));
  await vi.waitFor(async () => {
    await one.wakeups.publish("work", ["m"]);
    expect(heard).toContain("m");
  }, SOON);
  stop();
}

describe.skipIf(!isThere)("a Redis Cluster", () => {
  it("works on whichever node has the prefix, goes on when a slot moves, and without a node that has none of ours", async () => {
    const nodes = await startCluster();
    const cluster = { nodes: nodes.map(({ url }) => url) };
    for (const prefix of ["a", "b", "c", "modelgate"])
      await work(open({ cluster, prefix }), open({ cluster: { nodes: cluster.nodes.slice(0, 1) }, prefix }));

    const seen = await inspectRedis({ cluster });
    expect(seen).toMatchObject({ clusterState: "ok", role: "primary", missingRights: [], problems: [] });
    // Each slot is on one node, so that two of three refuse.
    const refusals = await Promise.allSettled(
      nodes.map(({ url }) => open({ url, prefix: "modelgate" }).queue.stats()),
    );
    const refused = refusals.flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
    expect(refused).toHaveLength(2);
    expect(refused[0]).toMatchObject({ code: "STORE_UNAVAILABLE", details: { field: "cluster" } });

    const [one, other] = [open({ cluster }), open({ cluster })];
    await work(one, other);
    const before = await one.queue.incarnation();
    const slot = (await nodes[0]?.ask("cluster", "keyslot", "{modelgate}:")) as number;
    const ids = (await Promise.all(nodes.map((node) => node.ask("cluster", "myid")))) as string[];
    const from = refusals.findIndex(({ status }) => status === "fulfilled");
    const to = (from + 1) % 3;
    // The keys stay behind, as in a slot that is given to another node by force: the queue is empty there.
    await nodes[from]?.ask("flushall");
    for (const node of nodes) await node.ask("cluster", "setslot", `${slot}`, "node", ids[to] as string);
    await vi.waitFor(async () => expect(await one.queue.incarnation()).not.toBe(before), SOON);
    await work(one, other);

    const client = new Cluster(nodes.map(({ port }) => ({ port, host: "127.0.0.1" })));
    client.on("error", () => {});
    onTestFinished(() => client.disconnect());
    await work(open({ client }), other);
    expect(await inspectRedis({ client })).toMatchObject({ clusterState: "ok", problems: [] });

    const user = ["modelgate", "reset", "on", ">secret", "~{modelgate}:*", "&{modelgate}:*", "-@all"];
    const rights = [...NEEDED_COMMANDS.map((command) => `+${command}`), "+cluster|slots", "+cluster|info"];
    for (const node of nodes) await node.ask("acl", "setuser", ...user, ...rights);
    const asUser = { cluster, username: "modelgate", password: "secret" };
    expect(await inspectRedis(asUser)).toMatchObject({ missingRights: [], problems: [], clusterState: "ok" });
    await work(open(asUser), other);
    for (const node of nodes) await node.ask("acl", "setuser", "modelgate", "-cluster|slots");
    const [problem] = (await inspectRedis(asUser)).problems;
    expect(problem).toMatchObject({ step: "connect", code: "STORE_READ_ONLY" });
    expect(problem?.message).toContain("command cluster|slots");

    // One that is gone takes its slots along, and the others answer for theirs.
    for (const node of nodes) await node.ask("config", "set", "cluster-require-full-coverage", "no");
    const gone = (to + 1) % 3;
    await nodes[gone]?.kill();
    await vi.waitFor(() => work(one, other), SOON);
    const late = open({ cluster });
    await vi.waitFor(() => work(late, late), SOON);
  }, 30_000);
});
