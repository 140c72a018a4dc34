import { z } from "zod";
import { memoryBytesOf } from "../../routes/deployments-resources.ts";
import { booleanField, integerField, positiveField, textField } from "./fields.ts";

const MAX_CPUS = 100_000;
const MAX_CARDS = 256;

const memory = z
  .string()
  .regex(/^\d+(?:\.\d+)?[kKmMgG]?$/)
  .refine((text) => memoryBytesOf(text) !== undefined)
  .nullish()
  .meta({ description: "A number of bytes, or of 1024 of them with k, m or g.", examples: ["512m", "4g"] });

const cpusText = z
  .string()
  .regex(/^\d+(?:\.\d+)?$/)
  .refine((text) => Number(text) > 0 && Number(text) <= MAX_CPUS);
const cpus = z
  .union([z.number().gt(0).max(MAX_CPUS), cpusText])
  .nullish()
  .meta({ description: "A number above 0.", examples: ["0.5", 2] });

const cardsText = z
  .string()
  .regex(/^(?:all|\s*[+-]?\d+\s*)$/)
  .refine((text) => text === "all" || (Number(text) >= 0 && Number(text) <= MAX_CARDS));
const cardIds = z
  .array(z.string().regex(/^[\x21-\x7e]{1,128}$/))
  .min(1)
  .max(MAX_CARDS);

/** What is not named may be there as `null`, which stands for nothing. */
function named<Shape extends Record<string, z.ZodType>>(shape: Shape): z.ZodType {
  return z.object(shape).catchall(z.null());
}

const device = named({
  capabilities: z
    .array(z.string())
    .refine((all) => all.includes("gpu"))
    .meta({ contains: { const: "gpu" }, examples: [["gpu"]] }),
  driver: z.unknown().optional(),
  count: z.union([z.number().int().min(0).max(MAX_CARDS), cardsText]).nullish(),
  device_ids: cardIds.nullish(),
})
  .refine((each) => {
    const { count, device_ids: ids } = each as { readonly count?: unknown; readonly device_ids?: unknown };
    return (count ?? undefined) === undefined || (ids ?? undefined) === undefined;
  })
  .meta({ description: "Graphics cards: either a number of them, or which ones." });

const limits = named({ memory, cpus }).nullish();
const reservations = named({ memory, cpus, devices: z.array(device).max(1).nullish() }).nullish();

/** In the words of a compose file. Whoever asks for something else is told so, and not given less. */
const deploy: z.ZodType = named({ resources: named({ limits, reservations }).nullish() })
  .meta({ id: "Deploy", description: "What a server may take, and what is kept for it." })
  .nullish();

const shownRoom = { memory: z.string().optional(), cpus: z.string().optional() };

export const shownDeploy: z.ZodType = z
  .strictObject({
    resources: z.strictObject({
      limits: z.strictObject(shownRoom).optional(),
      reservations: z
        .strictObject({
          ...shownRoom,
          devices: z
            .array(
              z.strictObject({
                count: z.union([z.number().int(), z.literal("all")]).optional(),
                device_ids: z.array(z.string()).optional(),
                capabilities: z.tuple([z.literal("gpu")]),
              }),
            )
            .optional(),
        })
        .optional(),
    }),
  })
  .meta({ id: "DeployShown" });

/** Fields that are not named are passed over, but for those of `deploy`. */
export const deployRequest: z.ZodObject = z
  .object({
    model_uri: textField("Where the model is; wins over `tracking_id`.", { most: 8_192, isTrimmed: true }),
    tracking_id: textField("A run of the tracker, whose model is meant.", { isTrimmed: true }),
    ttl: integerField("Seconds from its being ready until it is removed; -1 for never."),
    deploy,
  })
  .meta({ id: "DeployRequest" });

const common = {
  model_uri: textField("Where the model is."),
  tracking_id: textField("A run of the tracker, whose model is meant.", {
    least: 1,
    most: 512,
    isTrimmed: true,
  }),
  idle_ttl: positiveField("Seconds without work after which it is removed.", 1e11),
  description: textField("For people.", { most: 16_384 }),
  keep_warm: booleanField("Deployed before anybody asks, and never removed for being idle."),
  deploy,
};

export const newConfiguration: z.ZodObject = z
  .object({
    model_name: z
      .string()
      .meta({ description: "1 to 255 letters, digits, `_`, `.` and `-`.", examples: ["medcat"] }),
    ...common,
    replace_enabled: booleanField("Whether the enabled one makes place; true by default."),
    inherit_config: booleanField("Whether what is not given is taken from the enabled one; true by default."),
  })
  .meta({ id: "NewConfiguration" });

export const configurationChanges: z.ZodObject = z
  .object({
    ...common,
    clear_tracking_id: booleanField("Takes the tracking id away."),
    clear_idle_ttl: booleanField("Brings back the default."),
    clear_description: booleanField("Takes the description away."),
    clear_deploy: booleanField("Takes away what its server may take."),
  })
  .meta({ id: "ConfigurationChanges" });
