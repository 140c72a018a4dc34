import type { Gateway } from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import { handMadeGateway } from "./support/hand-made-gateway.ts";
import { HOSTS, type OpenHost } from "./support/hosts.ts";
import { call } from "./support/http-client.ts";

describe.each(HOSTS)("the service over $host", ({ open }) => {
  let server: OpenHost | undefined;

  async function opened(parts: Partial<Gateway> = {}, basePath = ""): Promise<string> {
    server = await open(handMadeGateway(parts), { basePath });
    return server.url;
  }

  afterEach(() => server?.close());

  it("greets", async () => {
    const answer = await call(await opened(), "/");
    expect(answer.status).toBe(200);
    expect(answer.text).toBe(`{"message":"Enter the cult... I mean, the API."}`);
  });

  it("is healthy by the names that monitoring knows", async () => {
    const health = { isHealthy: true, components: { ledger: "healthy", objects: "healthy" } } as const;
    const answer = await call(await opened({ health: async () => health }), "/health");
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      status: "healthy",
      components: {
        database: "healthy",
        task_object_store: "healthy",
        results_object_store: "healthy",
        queue: "healthy",
      },
    });
  });

  it("is unhealthy with a 503 that has the components in both places where they are looked for", async () => {
    const health = {
      isHealthy: false,
      components: { ledger: "healthy", objects: "unhealthy", discovery: "healthy" },
    } as const;
    const answer = await call(await opened({ health: async () => health }), "/health/");
    const body = {
      status: "unhealthy",
      components: {
        database: "healthy",
        queue: "healthy",
        task_object_store: "unhealthy",
        results_object_store: "unhealthy",
        discovery: "healthy",
      },
    };
    expect(answer.status).toBe(503);
    expect(answer.json).toMatchObject({ ...body, detail: body });
  });

  it.each(["/nothing", "/tasks/a/b", "//tasks/a", "/Health", "/models//info"])(
    "knows no %s",
    async (path) => {
      const answer = await call(await opened(), path);
      expect(answer.status).toBe(404);
      expect(answer.json).toMatchObject({ detail: "Not Found", status: 404 });
    },
  );

  it.each([
    ["POST", "/", "GET, HEAD"],
    ["DELETE", "/health", "GET, HEAD"],
    ["PUT", "/models/", "GET, HEAD"],
    ["GET", "/models/nlp/tasks/process", "POST"],
    ["POST", "/tasks/abc/", "GET, PATCH, DELETE, HEAD"],
    ["GET", "/tasks/abc/retry", "POST"],
    ["OPTIONS", "/tasks", "GET, HEAD"],
  ])("refuses %s %s and says what is allowed", async (method, path, allow) => {
    const answer = await call(await opened(), path, { method });
    expect(answer.status).toBe(405);
    expect(answer.headers["allow"]).toBe(allow);
    expect(answer.json).toMatchObject({ detail: "Method Not Allowed", status: 405 });
  });

  it("answers HEAD without a body", async () => {
    const answer = await call(await opened(), "/", { method: "HEAD" });
    expect(answer.status).toBe(200);
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(answer.text).toBe("");
  });

  it("can be mounted below a path", async () => {
    const url = await opened({}, "/gateway");
    expect((await call(url, "/gateway/")).status).toBe(200);
    expect((await call(url, "/gateway")).status).toBe(200);
    expect((await call(url, "/gateway/tasks")).status).toBe(403);
    expect((await call(url, "/tasks")).status).toBe(404);
  });

  it.each([
    [{ maxBodyBytes: -1 }, "maxBodyBytes"],
    [{ inlineBytes: 1.5 }, "inlineBytes"],
    [{ basePath: "gateway/" }, "basePath"],
    [{ adminKey: "short" }, "adminKey"],
    [{ adminKey: "a key with spaces in it" }, "adminKey"],
  ])("refuses the options %j", async (options, field) => {
    await expect(open(handMadeGateway(), options)).rejects.toMatchObject({
      code: "INVALID_OPTIONS",
      details: { field },
    });
    server = undefined;
  });
});
