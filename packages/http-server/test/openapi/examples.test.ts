import type { OperationInfo } from "@modelgate/core";
import { cmsProtocol } from "@modelgate/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Example, Operation } from "../../src/openapi/operation.ts";
import { describeOperations } from "../../src/openapi/operations/index.ts";
import { EXAMPLE_TASK } from "../../src/openapi/operations/tasks.ts";
import { type Answer, call } from "../support/http-client.ts";
import { adminKey, type OpenGateway, openGateway } from "./gateway.ts";
import { flawOf } from "./judge-answer.ts";

const protocol = cmsProtocol();
const tasks = new Map<string, OperationInfo>(
  [...protocol.operations].map(([name, spec]) => [name, { name, ...spec }]),
);
const operations = describeOperations({ tasks, openConfigurations: false });

/** Answers that no example can bring about on demand, and which other tests do. */
const ERRORS = { accept: "application/problem+json" };

describe("examples of the document", () => {
  let gateway: OpenGateway;
  let taskId = "";

  beforeAll(async () => {
    gateway = await openGateway();
    const answer = await call(gateway.url, "/models/nlp/tasks/process", {
      method: "POST",
      headers: { "content-type": "text/plain", prefer: "wait=10" },
      body: "a note",
    });
    taskId = String(answer.headers["x-task-uuid"]);
  });

  afterAll(async () => {
    await gateway.close();
    await protocol.close();
  });

  function send(
    operation: Operation,
    example: Example,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const path = operation.path.replaceAll(/:(\w+)/g, (_, name: string) => {
      const part = example.path?.[name] ?? "";
      return part === EXAMPLE_TASK ? taskId : encodeURIComponent(part);
    });
    const { body, query } = example;
    return call(gateway.url, query === undefined ? path : `${path}?${query}`, {
      method: operation.method,
      headers: {
        ...(operation.guard !== undefined && { "x-modelgate-key": adminKey }),
        ...(body !== undefined && { "content-type": body.type }),
        ...example.headers,
        ...headers,
      },
      ...(body !== undefined && {
        body: typeof body.value === "string" ? body.value : JSON.stringify(body.value),
      }),
    });
  }

  // In one test: what later ones find is what earlier ones made.
  it("are answered as it says, and in the form that it says", async () => {
    for (const operation of operations) {
      for (const example of operation.examples) {
        const answer = await send(operation, example);
        const name = `${operation.id}: ${example.summary}`;
        expect({ name, status: answer.status }, answer.text).toEqual({ name, status: example.status });
        expect([name, flawOf(operation, answer)]).toEqual([name, undefined]);
        if (answer.status < 400) continue;
        // A refusal changes nothing, so that it can be asked for again in its other form.
        const problem = await send(operation, example, ERRORS);
        expect(problem.headers["content-type"]).toBe("application/problem+json");
        expect([name, flawOf(operation, problem)]).toEqual([name, undefined]);
      }
    }
    expect(gateway.errors).toEqual([]);
  });

  it("are there for every operation that is answered by the gateway itself", () => {
    const own = operations.filter(({ tag }) => tag !== "model servers");
    expect(own.filter(({ examples }) => examples.length === 0)).toEqual([]);
    for (const { examples } of own) expect(examples.some(({ status }) => status < 300)).toBe(true);
  });

  it("hold what they give against the schemas of what is taken", () => {
    for (const { id, body, examples, pathFields, headerFields } of operations) {
      for (const example of examples.filter(({ status }) => status < 300)) {
        const { type = "", value } = example.body ?? {};
        const schema = body?.content[type];
        if (example.body !== undefined) expect([id, schema?.safeParse(value).success]).toEqual([id, true]);
        if (pathFields !== undefined) expect(pathFields.safeParse(example.path).success).toBe(true);
        expect(headerFields?.safeParse(example.headers ?? {}).success ?? true).toBe(true);
      }
    }
  });

  it("would be found out: an answer with a status, a type or a member that is not said", async () => {
    const [getTask] = operations.filter(({ id }) => id === "getTask");
    if (getTask === undefined) throw new Error("there is no such operation");
    const answer = await send(getTask, { summary: "", path: { id: EXAMPLE_TASK }, status: 200 });
    const text = JSON.stringify({ ...answer.json, more: 1 });
    expect(flawOf(getTask, answer)).toBeUndefined();
    expect(flawOf(getTask, { ...answer, status: 418 })).toContain("status 418");
    expect(flawOf(getTask, { ...answer, headers: { "content-type": "text/css" } })).toBeDefined();
    expect(flawOf(getTask, { ...answer, text })).toContain("Unrecognized key");
  });
});
