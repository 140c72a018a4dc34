import type { z } from "zod";
import { type JsonSchema, SchemaWriter } from "./json-schema.ts";
import {
  type Answer,
  type ApiFacts,
  type Content,
  type ObjectSchema,
  type Operation,
  TAGS,
} from "./operation.ts";

type Part = Readonly<Record<string, unknown>>;

export interface OpenApiDocument extends Part {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Part>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> } & Part;
}

const DESCRIPTION =
  "Queues work for model servers, calls them, and keeps what they answer. Every path is answered with and without a slash at its end, and every GET also as HEAD. Errors have a `detail`; with `Accept: application/problem+json` they come as RFC 9457 has them.";

const BY_KEY = [{ adminKey: [] }, { adminPassword: [] }];

/** The document without `servers`, which depend on where it is asked for. */
export function writeDocument(operations: readonly Operation[], facts: ApiFacts): OpenApiDocument {
  const writer = new SchemaWriter();
  const paths: Record<string, Record<string, Part>> = {};
  for (const operation of operations) {
    const path = templateOf(operation.path);
    paths[path] = {
      ...paths[path],
      [operation.method.toLowerCase()]: writeOperation(operation, facts, writer),
    };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Modelgate",
      version: "1",
      description: DESCRIPTION,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    } as OpenApiDocument["info"],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: writer.components,
      securitySchemes: {
        adminKey: { type: "apiKey", in: "header", name: "X-Modelgate-Key" },
        adminPassword: { type: "http", scheme: "basic", description: "The key as the password of any name." },
      },
    },
  };
}

/** `/models/:model/*` as `/models/{model}/{path}`. */
export function templateOf(pattern: string): string {
  return pattern.replace(/\*$/, ":path").replaceAll(/:(\w+)/g, "{$1}");
}

function writeOperation(operation: Operation, facts: ApiFacts, writer: SchemaWriter): Part {
  const { id, tag, summary, description, pathFields, queryFields, headerFields, body, examples } = operation;
  const isOpen = operation.guard === "configuring" && facts.openConfigurations;
  const security = { key: BY_KEY, configuring: BY_KEY, "key-for-more": [{}, ...BY_KEY] };
  const parameters = [
    ...writeParameters("path", pathFields, writer),
    ...writeParameters("query", queryFields, writer),
    ...writeParameters("header", headerFields, writer),
  ];
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && {
      requestBody: { required: body.isRequired, content: writeContent(body.content, writer, examples) },
    }),
    responses: Object.fromEntries(
      Object.entries(operation.answers).map(([status, answer]) => [status, writeAnswer(answer, writer)]),
    ),
    ...(operation.guard !== undefined && !isOpen && { security: security[operation.guard] }),
  };
}

function writeParameters(
  place: string,
  fields: ObjectSchema | undefined,
  writer: SchemaWriter,
): readonly Part[] {
  return Object.entries(fields?.shape ?? {}).map(([name, schema]) => {
    const { description, examples, ...written } = writer.write(schema);
    const [example] = Array.isArray(examples) ? examples : [];
    return {
      name,
      in: place,
      ...(place === "path" && { required: true }),
      ...(description !== undefined && { description }),
      schema: written,
      ...(example !== undefined && { example }),
    };
  });
}

function writeContent(content: Content, writer: SchemaWriter, examples: Operation["examples"] = []): Part {
  return Object.fromEntries(
    Object.entries(content).map(([type, schema]) => [type, writeMedia(type, schema, writer, examples)]),
  );
}

function writeMedia(
  type: string,
  schema: z.ZodType,
  writer: SchemaWriter,
  examples: Operation["examples"],
): Part {
  // What is answered with an error is no example to follow.
  const shown = examples.filter(({ body, status }) => body?.type === type && status < 300);
  const named = shown.map(({ summary, body }, index) => [
    `example${index + 1}`,
    { summary, value: body?.value },
  ]);
  return { schema: writer.write(schema), ...(named.length > 0 && { examples: Object.fromEntries(named) }) };
}

function writeAnswer({ description, content, headers = {} }: Answer, writer: SchemaWriter): Part {
  const written = Object.entries(headers).map(([name, meaning]) => [
    name,
    { description: meaning, schema: { type: "string" } },
  ]);
  return {
    description,
    ...(written.length > 0 && { headers: Object.fromEntries(written) }),
    ...(content !== undefined &&
      Object.keys(content).length > 0 && { content: writeContent(content, writer) }),
  };
}
