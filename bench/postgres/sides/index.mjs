// What is compared. A side prepares a database, fills it, opens a producer and a consumer, and says how many tasks its
// rows say have ended.
export const SIDES = {
  ours: { title: "ours", load: () => import("./ours.mjs") },
  gateway: { title: "whole gateway", load: () => import("./gateway.mjs") },
  memory: { title: "the driver alone, on the ledger in memory", load: () => import("./memory.mjs") },
  bullmq: { title: "BullMQ 6.7.0", load: () => import("./bullmq.mjs") },
  "pg-boss": { title: "pg-boss 10.4.2", load: () => import("./pg-boss.mjs") },
  graphile: {
    title: "graphile-worker 0.17.3",
    load: async () => (await import("./graphile.mjs")).graphile(0),
  },
  "graphile-ahead": {
    title: "graphile-worker 0.17.3 fetching ahead",
    load: async () => (await import("./graphile.mjs")).graphile(500),
  },
  "postgres+redis": composed("PostgreSQL and Redis", "postgres", "redis"),
  "postgres+rabbitmq": composed("PostgreSQL and RabbitMQ", "postgres", "rabbitmq"),
  "sqlite+redis": composed("SQLite and Redis", "sqlite", "redis"),
  "postgres+redis+wakeups": composed("PostgreSQL, wake-ups by Redis", "postgres", "redis", true),
};

/** Sides of bench/queue. */
function composed(title, store, broker, isNative) {
  const load = async () =>
    (await import("../../queue/composed-sides.mjs")).composedSide(store, broker, isNative);
  return { title, load };
}
