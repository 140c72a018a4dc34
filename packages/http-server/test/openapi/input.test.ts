import type { Gateway } from "@modelgate/core";
import { describe, expect, it } from "vitest";
import { createHttpHandler } from "../../src/index.ts";
import type { ObjectSchema, Operation } from "../../src/openapi/operation.ts";
import { describeOperations } from "../../src/openapi/operations/index.ts";
import { EXAMPLE_TASK } from "../../src/openapi/operations/tasks.ts";
import { readParameters } from "../../src/query.ts";
import { DeploymentsDouble } from "../support/deployments-double.ts";
import { handMadeGateway, modelStatus, operationsOf, taskRecord } from "../support/hand-made-gateway.ts";
import { randomOf } from "../support/random.ts";
import { BODIES, drawBody, drawQuery, HEADERS, QUERIES } from "./draw-input.ts";
import { adminKey } from "./gateway.ts";

const tasks = operationsOf({ process: "text/plain" });
const operations = describeOperations({ tasks, openConfigurations: false });

function operationOf(id: string): Operation {
  const found = operations.find((each) => each.id === id);
  if (found === undefined) throw new Error(`there is no operation ${id}`);
  return found;
}

/** Answers whatever it is asked, so that what is refused is refused for its form. */
async function openHandler(isDeployed: boolean): Promise<ReturnType<typeof createHttpHandler>> {
  const task = taskRecord();
  const deployments = new DeploymentsDouble();
  await deployments.configurations.create({ model: "nlp", modelUri: "s3://models/nlp" });
  if (isDeployed) deployments.add({ model: "nlp" });
  const gateway = handMadeGateway({
    ...{ models: () => [modelStatus("nlp")], operations: () => tasks, deployments },
    submit: (async () => task) as unknown as Gateway["submit"],
    ...{ get: async () => task, retry: async () => task },
    ...{ reprioritise: async () => task, list: async () => ({ items: [] }) },
  });
  return createHttpHandler(gateway, { adminKey, maxWaitMs: 100 });
}

interface Sent {
  readonly query?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: unknown;
}

const NAMES: Readonly<Record<string, string>> = { model: "nlp", task: "process", id: EXAMPLE_TASK };

/** Whether it is refused for its form; `undefined` when something else was in the way before all of it was looked at. */
async function isRefused(id: string, { query = "", headers = {}, body }: Sent): Promise<boolean | undefined> {
  const { method, path } = operationOf(id);
  const target = path.replaceAll(/:(\w+)/g, (_, name: string) => NAMES[name] ?? "");
  const { fetch } = await openHandler(id !== "deployModel");
  const answer = await fetch(
    new Request(`http://gateway${target}${query === "" ? "" : `?${query}`}`, {
      method,
      headers: { "x-modelgate-key": adminKey, "content-type": "text/plain", ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }),
  );
  const text = await answer.text();
  if (answer.status !== 422) return answer.status < 300 ? false : undefined;
  const { detail } = JSON.parse(text) as { detail: { msg: string }[] };
  // What two fields are together, a schema does not say.
  return detail.some(({ msg }) => !msg.includes("above the limit")) ? true : undefined;
}

function parsedQuery(schema: ObjectSchema, query: string): Record<string, unknown> {
  const given = readParameters(query);
  const names = Object.keys(schema.shape).filter((name) => given.has(name));
  return Object.fromEntries(
    names.map((name) => [name, name === "status" ? given.get(name) : given.get(name)?.at(-1)]),
  );
}

interface Drawn {
  readonly sent: Sent;
  readonly isTaken: boolean;
}

/** How often both took it and both refused it; throws on the first case in which they differ. */
async function compare(id: string, one: () => Drawn): Promise<{ taken: number; refused: number }> {
  const counts = { taken: 0, refused: 0 };
  for (let number = 0; number < CASES; number += 1) {
    const { sent, isTaken } = one();
    const refused = await isRefused(id, sent);
    if (refused === undefined) continue;
    expect({ id, sent, isTaken }).toEqual({ id, sent, isTaken: !refused });
    counts[isTaken ? "taken" : "refused"] += 1;
  }
  return counts;
}

const CASES = Number(process.env["MODELGATE_SCHEMA_CASES"] ?? 150);

describe("the document and the routes take the same", () => {
  const draw = randomOf(20_261_122);

  it.each(Object.keys(QUERIES))("queries of %s", async (id) => {
    const schema = operationOf(id).queryFields;
    if (schema === undefined) throw new Error("it has no query");
    const { taken, refused } = await compare(id, () => {
      const query = drawQuery(id, draw);
      return { sent: { query }, isTaken: schema.safeParse(parsedQuery(schema, query)).success };
    });
    expect(Math.min(taken, refused)).toBeGreaterThan(CASES / 20);
  });

  it.each(Object.keys(BODIES))("bodies of %s", async (id) => {
    const schema = operationOf(id).body?.content["application/json"];
    if (schema === undefined) throw new Error("it has no body");
    const { taken, refused } = await compare(id, () => {
      const body = drawBody(id, draw);
      return { sent: { body }, isTaken: schema.safeParse(body).success };
    });
    expect(Math.min(taken, refused)).toBeGreaterThan(CASES / 20);
  });

  it("headers of a submit", async () => {
    const id = "submitTask";
    const schema = operationOf(id).headerFields;
    if (schema === undefined) throw new Error("it has no headers");
    for (const [name, values] of Object.entries(HEADERS)) {
      for (const value of values) {
        const isTaken = (await isRefused(id, { headers: { [name]: value }, body: "" })) === false;
        expect({ name, value, isTaken }).toEqual({
          name,
          value,
          isTaken: schema.safeParse({ [name]: value }).success,
        });
      }
    }
  });

  it("has values for every field, so that none is left out", () => {
    for (const { id, queryFields, body } of operations) {
      const fields = Object.keys(queryFields?.shape ?? {});
      expect([id, Object.keys(QUERIES[id] ?? {}).sort()]).toEqual([id, fields.sort()]);
      const schema = body?.content["application/json"] as ObjectSchema | undefined;
      if (schema?.shape === undefined) continue;
      expect([id, Object.keys(BODIES[id] ?? {}).sort()]).toEqual([id, Object.keys(schema.shape).sort()]);
    }
  });
});
