import type { OperationInfo } from "@modelgate/core";
import type { z } from "zod";

/** What the document of one gateway depends on. */
export interface ApiFacts {
  /** What can be submitted, by name. */
  readonly tasks: ReadonlyMap<string, OperationInfo>;
  readonly openConfigurations: boolean;
}

/** The sections of the reference, in their order. */
export const TAGS = {
  tasks: "Submit work, follow it, and read what came of it.",
  models: "What runs, what can run, and what servers say of themselves.",
  deployments: "Servers that this gateway starts and removes.",
  "on-demand models": "Models that are deployed by the first task for them, and removed when they are idle.",
  "model servers": "What goes straight to a model's server.",
  service: "The gateway itself.",
} as const;

export type Tag = keyof typeof TAGS;

/** A media type, and what a body of it is; for bodies of any type the name is a range of types. */
export type Content = Readonly<Record<string, z.ZodType>>;

export interface Answer {
  readonly description: string;
  /** Absent when there is no body; none of it is named when only the server knows what it is, and whether it has a type. */
  readonly content?: Content | undefined;
  /** By name, what each header says. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** By status, or `default` for all that are not named. */
export type Answers = Readonly<Record<string, Answer>>;

/** A request that a test sends to a real gateway. */
export interface Example {
  readonly summary: string;
  /** By the names in the path. */
  readonly path?: Readonly<Record<string, string>> | undefined;
  /** Without the question mark. */
  readonly query?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** JSON unless it is a text. */
  readonly body?: { readonly type: string; readonly value: unknown } | undefined;
  /** What it is answered with. */
  readonly status: number;
}

export type ObjectSchema = z.ZodObject<Readonly<Record<string, z.ZodType>>>;

/**
 * - `key`: for those who have the admin's key.
 * - `key-for-more`: for everybody; some of it for those who have the key.
 * - `configuring`: like `key`, unless all may configure on-demand models.
 */
type Guard = "key" | "key-for-more" | "configuring";

/** One method of one route, as the document tells of it. */
export interface Operation {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** The pattern of the route. */
  readonly path: string;
  readonly id: string;
  readonly tag: Tag;
  readonly summary: string;
  readonly description?: string | undefined;
  /** Parts of the path, decoded, in their order. */
  readonly pathFields?: ObjectSchema | undefined;
  /** Fields of the query; each holds the last of its values, a list all of them. */
  readonly queryFields?: ObjectSchema | undefined;
  readonly headerFields?: ObjectSchema | undefined;
  readonly body?: { readonly isRequired: boolean; readonly content: Content } | undefined;
  readonly guard?: Guard | undefined;
  readonly answers: Answers;
  readonly examples: readonly Example[];
}
