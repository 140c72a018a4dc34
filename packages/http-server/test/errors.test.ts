import { ERROR_CODES, GatewayError, type GatewayErrorCode } from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import { STATUS_OF } from "../src/status.ts";
import { handMadeGateway } from "./support/hand-made-gateway.ts";
import { HOSTS, type OpenHost } from "./support/hosts.ts";
import { call } from "./support/http-client.ts";

const secret = "patient Maria Keller, /var/lib/secret.db";

describe.each(HOSTS)("errors over $host", ({ open }) => {
  let server: OpenHost | undefined;
  const seen: unknown[] = [];
  const submit = { method: "POST", headers: { "content-type": "text/plain" }, body: "text" };

  async function opened(error: unknown): Promise<string> {
    const reject = async (): Promise<never> => {
      throw error;
    };
    const gateway = handMadeGateway({ submit: reject, get: reject, health: reject, cancel: reject });
    server = await open(gateway, { onError: (each) => seen.push(each) });
    return server.url;
  }

  afterEach(async () => {
    await server?.close();
    seen.length = 0;
  });

  it.each(Object.keys(ERROR_CODES) as GatewayErrorCode[])(
    "answers %s with its status and a detail",
    async (code) => {
      const url = await opened(new GatewayError(code, secret));
      const answer = await call(url, "/tasks/abc");
      const known = code === "TASK_UNKNOWN" ? 404 : STATUS_OF[code];
      expect(answer.status).toBe(known);
      expect(answer.headers["content-type"]).toBe("application/json");
      expect(answer.json).toHaveProperty("detail");
      if (answer.status >= 500) expect(answer.text).not.toContain("Maria");
    },
  );

  it("answers an error that nobody expected with a 500 that says nothing, and tells whoever runs it", async () => {
    const error = new Error(secret);
    const url = await opened(error);
    for (const answer of [
      await call(url, "/tasks/abc"),
      await call(url, "/health"),
      await call(url, "/models/nlp/tasks/process", submit),
    ]) {
      expect(answer.status).toBe(500);
      expect(answer.json).toEqual({
        detail: "Internal Server Error",
        type: "urn:modelgate:error:internal-server-error",
        title: "Internal Server Error",
        status: 500,
      });
    }
    expect(seen).toEqual([error, error, error]);
  });

  it("says when to come back after a full queue", async () => {
    const url = await opened(
      new GatewayError("QUEUE_FULL", "too much waits", { details: { retryAfterMs: 2_100 } }),
    );
    const answer = await call(url, "/models/nlp/tasks/process", submit);
    expect(answer.status).toBe(429);
    expect(answer.headers["retry-after"]).toBe("3");
    expect(answer.json).toEqual({
      detail: "too much waits",
      type: "urn:modelgate:error:queue-full",
      title: "Queue full",
      status: 429,
      code: "QUEUE_FULL",
    });
  });

  it.each(["STOPPING", "STORE_UNAVAILABLE"] as const)("answers %s with 503 and Retry-After", async (code) => {
    const url = await opened(new GatewayError(code, secret));
    const answer = await call(url, "/models/nlp/tasks/process", submit);
    expect(answer.status).toBe(503);
    expect(answer.headers["retry-after"]).toBe("5");
    expect(answer.json.code).toBe(code);
  });

  it("answers a refused request in FastAPI's shape", async () => {
    const url = await opened(
      new GatewayError("INVALID_REQUEST", "query is too long", { details: { field: "query" } }),
    );
    const answer = await call(url, "/models/nlp/tasks/process", submit);
    expect(answer.status).toBe(422);
    expect(answer.json).toEqual({
      detail: [{ type: "value_error", loc: ["query"], msg: "query is too long", input: null }],
      type: "urn:modelgate:error:invalid-request",
      title: "Invalid request",
      status: 422,
      code: "INVALID_REQUEST",
    });
  });
});
