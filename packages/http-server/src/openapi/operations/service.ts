import { z } from "zod";
import { answersOf, jsonAnswer, refusal } from "../answers.ts";
import type { Operation } from "../operation.ts";
import { unhealthyAnswer, unhealthyProblem } from "../schemas/errors.ts";

const greeting = z.strictObject({ message: z.string() }).meta({ id: "Greeting" });

const health = z
  .strictObject({
    status: z.literal("healthy"),
    components: z.record(z.string(), z.string()).meta({
      description: "How each part does.",
      examples: [{ database: "healthy", queue: "healthy" }],
    }),
  })
  .meta({ id: "Health" });

const text = z.string();

export function serviceOperations(): readonly Operation[] {
  const common = { method: "GET", tag: "service" } as const;
  return [
    {
      ...common,
      path: "/",
      id: "greet",
      summary: "A greeting",
      answers: answersOf({ asks: false }, { 200: jsonAnswer("A greeting.", greeting) }),
      examples: [{ summary: "A greeting", status: 200 }],
    },
    {
      ...common,
      path: "/health",
      id: "getHealth",
      summary: "Whether the parts answer",
      answers: answersOf(
        { asks: false },
        {
          200: jsonAnswer("All that is needed answers.", health),
          503: refusal("A part does not answer.", {
            schema: unhealthyAnswer,
            problemSchema: unhealthyProblem,
          }),
        },
      ),
      examples: [{ summary: "How it is", status: 200 }],
    },
    {
      ...common,
      path: "/metrics",
      id: "getMetrics",
      summary: "Metrics",
      description: "In the format of Prometheus.",
      answers: answersOf(
        { asks: false },
        { 200: { description: "All metrics.", content: { "text/plain": text } } },
      ),
      examples: [{ summary: "A scrape", status: 200 }],
    },
    {
      ...common,
      path: "/openapi.json",
      id: "getOpenApi",
      summary: "This document",
      answers: answersOf(
        { asks: false },
        { 200: jsonAnswer("OpenAPI 3.1.", z.looseObject({ openapi: text })) },
      ),
      examples: [{ summary: "This document", status: 200 }],
    },
    {
      ...common,
      path: "/docs",
      id: "getReference",
      summary: "This document as a page",
      description: "It asks no other host for anything, and runs no script.",
      answers: answersOf(
        { asks: false },
        { 200: { description: "A page.", content: { "text/html": text } } },
      ),
      examples: [{ summary: "The page", status: 200 }],
    },
  ];
}
