import { UsageError } from "../usage-error.ts";
import type { QueueAddress } from "./read-queue.ts";

/** Where CogStack's gateway keeps what it has, as its own variables say. */
export interface CmgSource {
  readonly databaseUrl: string;
  readonly objects: {
    readonly endpoint: string;
    readonly accessKey: string;
    readonly secretKey: string;
    /** Payloads. */
    readonly tasksBucket: string;
    readonly resultsBucket: string;
  };
  readonly queue: QueueAddress;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Its variables with its own defaults, so that an environment that runs it says all that is needed. Throws `UsageError`. */
export function cmgSource(env: Environment): CmgSource {
  const text = (name: string, standard: string): string => env[name]?.trim() || standard;
  const port = (name: string, standard: string): string => {
    const given = text(name, standard);
    if (/^\d{1,5}$/.test(given) && Number(given) <= 65_535) return given;
    throw new UsageError(`${name} is "${given}"; give a port from 0 to 65535.`);
  };
  const address = (
    scheme: string,
    kind: string,
    host: string,
    standardPort: string,
    path: string,
  ): string => {
    const user = encodeURIComponent(text(`CMG_${kind}_USER`, "admin"));
    const password = encodeURIComponent(text(`CMG_${kind}_PASSWORD`, "admin"));
    const place = `${text(`CMG_${kind}_HOST`, host)}:${port(`CMG_${kind}_PORT`, standardPort)}`;
    const url = `${scheme}://${user}:${password}@${place}/${path}`;
    if (URL.canParse(url)) return url;
    throw new UsageError(`CMG_${kind}_HOST is not the name of a host.`);
  };
  const database = encodeURIComponent(text("CMG_DB_NAME", "cmg_tasks"));
  const store = text("CMG_OBJECT_STORE_HOST", "object-store");
  return {
    databaseUrl: address("postgres", "DB", "db", "5432", database),
    objects: {
      endpoint: `http://${store}:${port("CMG_OBJECT_STORE_PORT", "9000")}`,
      accessKey: text("CMG_OBJECT_STORE_ACCESS_KEY", "admin"),
      secretKey: text("CMG_OBJECT_STORE_SECRET_KEY", "admin123"),
      tasksBucket: text("CMG_OBJECT_STORE_BUCKET_TASKS", "cmg-tasks"),
      resultsBucket: text("CMG_OBJECT_STORE_BUCKET_RESULTS", "cmg-results"),
    },
    queue: {
      url: address("amqp", "QUEUE", "queue", "5672", ""),
      queue: text("CMG_QUEUE_NAME", "cmg_tasks"),
    },
  };
}
