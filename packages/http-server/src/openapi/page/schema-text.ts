import type { JsonSchema } from "../json-schema.ts";

type Components = Readonly<Record<string, JsonSchema>>;

/** A schema in few words, such as `string | null`. */
export function kindOf(schema: JsonSchema): string {
  const { $ref, anyOf, type, enum: values, const: value, items, format } = schema;
  if (typeof $ref === "string") return nameOf($ref);
  if (Array.isArray(anyOf)) return [...new Set(anyOf.map((each) => kindOf(each as JsonSchema)))].join(" | ");
  if (value !== undefined) return JSON.stringify(value);
  if (Array.isArray(values)) return values.map((each) => JSON.stringify(each)).join(" | ");
  if (type === "array") return `list of ${kindOf((items ?? {}) as JsonSchema)}`;
  if (Array.isArray(type)) return type.join(" | ");
  if (typeof type !== "string") return "anything";
  return `${format ?? type}${boundsOf(schema)}`;
}

function boundsOf({ minimum, maximum, exclusiveMinimum, minLength, maxLength }: JsonSchema): string {
  if (exclusiveMinimum !== undefined) return ` > ${exclusiveMinimum}`;
  if (isBound(minimum) || isBound(maximum)) return `, ${rangeOf(minimum, maximum)}`;
  if (minLength !== undefined || maxLength !== undefined)
    return `, ${rangeOf(minLength, maxLength)} characters`;
  return "";
}

/** The bounds of what a double holds exactly are of no use to a reader. */
function isBound(value: unknown): boolean {
  return typeof value === "number" && Math.abs(value) < Number.MAX_SAFE_INTEGER;
}

function rangeOf(least: unknown, most: unknown): string {
  if (!isBound(most)) return `${least} or more`;
  return isBound(least) ? `${least} to ${most}` : `at most ${most}`;
}

function nameOf(reference: string): string {
  return reference.replace("#/components/schemas/", "");
}

/** A schema as people read one: the shape of what it stands for, with references followed once each. */
export function shapeOf(schema: JsonSchema, components: Components): string {
  return shape(schema, components, "", new Set());
}

function shape(
  schema: JsonSchema,
  components: Components,
  indent: string,
  seen: ReadonlySet<string>,
): string {
  const { $ref, anyOf, type, properties, items } = schema;
  if (typeof $ref === "string") {
    const name = nameOf($ref);
    const target = components[name];
    if (target === undefined || seen.has(name)) return name;
    return shape(target, components, indent, new Set([...seen, name]));
  }
  if (Array.isArray(anyOf)) {
    const shapes = anyOf.map((each) => shape(each as JsonSchema, components, indent, seen));
    return [...new Set(shapes)].join(`\n${indent}| `);
  }
  if (type === "array") return `[${shape((items ?? {}) as JsonSchema, components, indent, seen)}, …]`;
  if (type !== "object" || properties === undefined) return kindOf(schema);
  const needed = new Set(Array.isArray(schema["required"]) ? schema["required"] : []);
  const inner = `${indent}  `;
  const lines = Object.entries(properties as Components).map(
    ([name, each]) =>
      `${inner}"${name}"${needed.has(name) ? "" : "?"}: ${shape(each, components, inner, seen)}`,
  );
  return `{\n${lines.join(",\n")}\n${indent}}`;
}
