import { z } from "zod";

export type JsonSchema = Readonly<Record<string, unknown>>;

/** Turns schemas into JSON Schema; those that have an id are told of once, in `components`. */
export class SchemaWriter {
  readonly components: Record<string, JsonSchema> = {};

  write(schema: z.ZodType): JsonSchema {
    // In a list, also a schema that has an id itself becomes a reference.
    const list = z.toJSONSchema(z.array(schema), { io: "input" }) as {
      readonly items: JsonSchema;
      readonly $defs?: Readonly<Record<string, JsonSchema>>;
    };
    for (const [name, definition] of Object.entries(list.$defs ?? {})) {
      this.components[name] ??= withOwnReferences(definition);
    }
    return withOwnReferences(list.items);
  }
}

function withOwnReferences(schema: JsonSchema): JsonSchema {
  const { id: _, ...rest } = JSON.parse(JSON.stringify(schema), (key, value) =>
    key === "$ref" ? String(value).replace("#/$defs/", "#/components/schemas/") : value,
  ) as Record<string, unknown>;
  return rest;
}
