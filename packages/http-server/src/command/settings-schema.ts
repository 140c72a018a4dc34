import { z } from "zod";

const DAY_MS = 86_400_000;
const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

/** Numbers are also given as text, by flags and by the environment. */
function wholeNumber(least: number, most: number): z.ZodType<number> {
  const error = `give a whole number from ${least} to ${most}`;
  return z.preprocess(
    (value) => (typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : value),
    z.int({ error }).min(least, { error }).max(most, { error }),
  );
}

interface ServerSetting {
  readonly name: string;
  readonly url: string;
}

const serversError = "give NAME=URL, where URL begins with http:// or https://";

function isServerUrl(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}

/** A file names servers as `{ "NAME": "URL" }`, or with a list of addresses; flags and the environment as NAME=URL. */
const servers = z
  .preprocess(
    (value) => (typeof value === "string" ? value.split(/[\s,]+/).filter((part) => part !== "") : value),
    z.union(
      [
        z.array(z.string().regex(/^[^=]+=./, { error: serversError })),
        z.record(z.string().min(1), z.union([z.string(), z.array(z.string())])),
      ],
      { error: serversError },
    ),
  )
  .transform((value): readonly ServerSetting[] =>
    Array.isArray(value) ? value.map(splitServer) : Object.entries(value).flatMap(listServers),
  )
  .refine((list) => list.every(({ url }) => isServerUrl(url)), { error: serversError });

function splitServer(text: string): ServerSetting {
  const at = text.indexOf("=");
  return { name: text.slice(0, at), url: text.slice(at + 1) };
}

function listServers([name, urls]: readonly [string, string | string[]]): ServerSetting[] {
  return [urls].flat().map((url) => ({ name, url }));
}

const retentionError =
  'give "off", or ages in milliseconds: payloadMs=N,resultMs=N,rowMs=N (in a file: false, or an object)';

const retention = z.preprocess(
  (value) => {
    if (value === "off") return false;
    if (typeof value !== "string") return value;
    return Object.fromEntries(value.split(",").map((pair) => pair.split("=", 2)));
  },
  z.union(
    [
      z.literal(false),
      z.strictObject(
        {
          payloadMs: wholeNumber(0, 3650 * DAY_MS).default(7 * DAY_MS),
          resultMs: wholeNumber(0, 3650 * DAY_MS).default(7 * DAY_MS),
          rowMs: wholeNumber(0, 3650 * DAY_MS).default(30 * DAY_MS),
        },
        { error: retentionError },
      ),
    ],
    { error: retentionError },
  ),
);

const textError = "give a text that is not empty";

/** Everything that `modelgate serve` can be told: keys of a file, flags and environment variables alike. */
export const settingsSchema = z.strictObject({
  host: z
    .string({ error: textError })
    .min(1, { error: textError })
    .default("127.0.0.1")
    .describe("address to listen on"),
  port: wholeNumber(0, 65_535).default(8888).describe("port to listen on; 0 takes a free one"),
  dataDir: z
    .string({ error: textError })
    .min(1, { error: textError })
    .default(".modelgate")
    .describe("where everything is kept"),
  servers: servers.default([]).describe("a model and the address of a server for it; may be repeated"),
  leaseMs: wholeNumber(100, DAY_MS)
    .default(10_000)
    .describe("how long a task is held without a sign of life"),
  pollMs: wholeNumber(1, DAY_MS).default(500).describe("longest wait between two looks for work"),
  inlineBytes: wholeNumber(0, 16 * 1024 ** 2)
    .default(32_768)
    .describe("largest payload or result that is kept in the database itself"),
  maxBodyBytes: wholeNumber(0, Number.MAX_SAFE_INTEGER)
    .default(4 * 1024 ** 3)
    .describe("largest request body that is taken"),
  retention: retention
    .default({ payloadMs: 7 * DAY_MS, resultMs: 7 * DAY_MS, rowMs: 30 * DAY_MS })
    .describe("ages after the ending at which payloads, results and tasks are forgotten, or off"),
  logLevel: z
    .enum(LOG_LEVELS, { error: `give ${LOG_LEVELS.join(", ")}` })
    .default("info")
    .describe("what is written to standard error: error, warn, info or debug"),
});

export type Settings = z.output<typeof settingsSchema>;
export type SettingName = keyof Settings;

export const SETTING_NAMES = Object.keys(settingsSchema.shape) as readonly SettingName[];
