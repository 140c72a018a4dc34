/** What is understood and has no use here, with the reason. Variables by expression. */
export const UNUSED_VARIABLES: readonly (readonly [name: RegExp, reason: string])[] = [
  [
    /^CMG_QUEUE_(USER|PASSWORD|NAME|HOST|PORT)$/,
    "PostgreSQL is the queue, and needs no RabbitMQ; whoever wants the order kept there gives queue as rabbitmq, and rabbitmq.url",
  ],
  [
    /^CMG_OBJECT_STORE_BUCKET_(TASKS|RESULTS)$/,
    "those buckets stay CMG's, so that going back works; s3.bucket names ours",
  ],
  [/^CMG_RIPPER_INTERVAL$/, "servers are removed when their time is over, and not at the next look"],
];

/** Names that others read: compose, the image, Grafana. They say nothing to a gateway, and nothing is said of them. */
export const OF_COMPOSE = /^CMG_(IMAGE_TAG|COMMIT_SHA|NO_PROXY_EXT|CLIENT_\w+)$/;

/** Sections that CMG itself reads from its variables alone. */
export const FROM_VARIABLES: Readonly<Record<string, string>> = {
  db: "CMG_DB_…",
  object_store: "CMG_OBJECT_STORE_…",
  queue: "CMG_QUEUE_…",
  scheduler: "CMG_SCHEDULER_…",
  ripper: "CMG_RIPPER_…",
};
