import { type Gateway, GatewayError, type ListRequest } from "@modelgate/core";
import { afterEach, describe, expect, it } from "vitest";
import type { HttpOptions } from "../src/index.ts";
import { readTime } from "../src/read-time.ts";
import { startDurableGateway } from "./support/durable-gateway.ts";
import { handMadeGateway, taskRecord } from "./support/hand-made-gateway.ts";
import { HOSTS } from "./support/hosts.ts";
import { type Answer, call } from "./support/http-client.ts";
import { startModelServer } from "./support/model-server.ts";

const adminKey = "the-key-of-the-admins";

describe.each(HOSTS)("listing tasks over $host", ({ open }) => {
  const closers: (() => Promise<unknown>)[] = [];

  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  async function opened(gateway: Gateway, options: HttpOptions = { adminKey }): Promise<string> {
    const host = await open(gateway, options);
    closers.push(host.close);
    return host.url;
  }

  const list = (url: string, query = "", key: string | undefined = adminKey): Promise<Answer> =>
    call(url, `/tasks/${query}`, { headers: key === undefined ? {} : { "x-modelgate-key": key } });

  it("is for admins, and for nobody where there is no key", async () => {
    const lists = async (): Promise<never> => expect.unreachable();
    for (const [options, key] of [
      [{}, undefined],
      [{}, adminKey],
      [{ adminKey }, undefined],
      [{ adminKey }, ""],
      [{ adminKey }, `${adminKey}x`],
      [{ adminKey }, adminKey.slice(1)],
      [{ adminKey }, adminKey.toUpperCase()],
    ] as const) {
      const url = await opened(handMadeGateway({ list: lists }), options);
      const headers = {
        authorization: `Bearer ${adminKey}`,
        ...(key !== undefined && { "x-modelgate-key": key }),
      };
      const answer = await call(url, "/tasks/?limit=0", { headers });
      expect(answer.status).toBe(403);
      expect(answer.text).toBe('{"detail":"Only admins can list tasks"}');
    }
  });

  it("tells everything of each task, and where to go on", async () => {
    const tasks = [
      taskRecord({ id: "b", priority: 7, attempt: 2, server: "s1", state: "scheduled" }),
      taskRecord({ id: "a" }),
    ];
    const url = await opened(handMadeGateway({ list: async () => ({ items: tasks, nextCursor: "on" }) }));
    const answer = await list(url);
    expect(answer.status).toBe(200);
    expect(answer.json.next_cursor).toBe("on");
    expect(answer.json.tasks[0]).toEqual({
      ...{ uuid: "b", status: "scheduled", model: "nlp", type: "process", source: null },
      ...{ created_at: "2025-11-20T23:11:56.654000+00:00", started_at: null, finished_at: null },
      ...{ result: null, error_message: null, tracking_id: null, priority: 7, attempt: 2, server: "s1" },
    });
    expect(answer.json.tasks[1]).toMatchObject({ uuid: "a", priority: 5, attempt: 0, server: null });
  });

  it("passes every filter on", async () => {
    const requests: (ListRequest | undefined)[] = [];
    const url = await opened(
      handMadeGateway({
        list: async (request) => {
          requests.push(request);
          return { items: [] };
        },
      }),
    );
    const query =
      "?status=pending&status=failed&model=a%20b&type=process&owner=&created_from=2026-11-20T23:11:56.654211%2B01:00&created_before=1763680316654&limit=7&cursor=1.x&other=1";
    expect((await list(url, query)).json).toEqual({ tasks: [], next_cursor: null });
    expect((await list(url)).status).toBe(200);
    expect(requests).toEqual([
      {
        filter: {
          ...{ states: ["pending", "failed"], model: "a b", operation: "process", owner: "" },
          ...{ createdFromMs: Date.UTC(2026, 10, 20, 22, 11, 56, 654), createdBeforeMs: 1_763_680_316_654 },
        },
        limit: 7,
        cursor: "1.x",
      },
      { filter: {}, limit: 100 },
    ]);
  });

  it.each([
    ["status=done", "status"],
    ["status=pending&status=", "status"],
    ["limit=0", "limit"],
    ["limit=1001", "limit"],
    ["limit=1.5", "limit"],
    ["limit=", "limit"],
    ["created_from=yesterday", "created_from"],
    ["created_from=2026-02-30", "created_from"],
    ["created_before=2026-13-01T00:00Z", "created_before"],
    ["model=%00", "model"],
    [`owner=${"x".repeat(257)}`, "owner"],
    [`cursor=${"x".repeat(1025)}`, "cursor"],
  ])("refuses %s by its name", async (query, field) => {
    const url = await opened(handMadeGateway({ list: async () => ({ items: [] }) }));
    const answer = await list(url, `?${query}`);
    expect(answer.status).toBe(422);
    expect(answer.json.detail).toHaveLength(1);
    expect(answer.json.detail[0].loc).toEqual(["query", field]);
  });

  it("refuses several at once", async () => {
    const url = await opened(handMadeGateway({}));
    const answer = await list(url, "?limit=x&status=y");
    expect(answer.json.detail.map((each: { loc: string[] }) => each.loc[1])).toEqual(["status", "limit"]);
  });

  it("walks over all tasks of a real store, newest first, each once", async () => {
    const server = await startModelServer();
    const real = await startDurableGateway({ nlp: server.url });
    closers.push(real.close, server.close);
    const url = await opened(real.gateway);
    const batch = Array.from({ length: 25 }, (_, at) => ({
      ...{ model: "nlp", operation: at % 2 === 0 ? "process" : "redact", payload: "x", owner: `o${at % 3}` },
    }));
    await real.gateway.submit(batch);
    const seen: string[] = [];
    for (let cursor = ""; ; ) {
      const { tasks, next_cursor } = (await list(url, `?limit=10${cursor}`)).json;
      seen.push(...tasks.map((task: { uuid: string }) => task.uuid));
      if (next_cursor === null) break;
      cursor = `&cursor=${encodeURIComponent(next_cursor)}`;
    }
    const all = (await real.gateway.list({ limit: 1000 })).items.map(({ id }) => id);
    expect(seen).toEqual(all);
    expect(new Set(seen).size).toBe(25);
    expect((await list(url, "?type=redact")).json.tasks).toHaveLength(12);
    expect((await list(url, "?owner=o2&type=process")).json.tasks).toHaveLength(4);
    expect((await list(url, "?created_from=2100-01-01")).json.tasks).toHaveLength(0);
    expect((await list(url, "?created_before=2100-01-01")).json.tasks).toHaveLength(25);
    const bad = await list(url, "?cursor=nonsense");
    expect(bad.status).toBe(422);
    expect(bad.json.detail[0].loc).toEqual(["query", "cursor"]);
  });

  it("names what the store refuses", async () => {
    const refuses = async (): Promise<never> => {
      throw new GatewayError("INVALID_REQUEST", "no such cursor", { details: { field: "cursor" } });
    };
    const url = await opened(handMadeGateway({ list: refuses }));
    expect((await list(url, "?cursor=x")).json.detail).toEqual([
      { type: "value_error", loc: ["query", "cursor"], msg: "no such cursor", input: null },
    ]);
  });
});

describe("a time in a query", () => {
  it.each([
    ["0", 0],
    ["1763680316654", 1_763_680_316_654],
    ["2026-11-20", Date.UTC(2026, 10, 20)],
    ["2026-11-20T23:11", Date.UTC(2026, 10, 20, 23, 11)],
    ["2026-11-20 23:11:56", Date.UTC(2026, 10, 20, 23, 11, 56)],
    ["2026-11-20T23:11:56Z", Date.UTC(2026, 10, 20, 23, 11, 56)],
    ["2026-11-20T23:11:56.654211+00:00", Date.UTC(2026, 10, 20, 23, 11, 56, 654)],
    ["2026-11-20T23:11:56.6 01:30", Date.UTC(2026, 10, 20, 21, 41, 56, 600)],
    ["2026-11-20t23:11:56-0230", Date.UTC(2026, 10, 21, 1, 41, 56)],
  ])("%j is an instant", (text, atMs) => {
    expect(readTime(text)).toBe(atMs);
  });

  it.each([
    "",
    "now",
    "2026",
    "2026-11",
    "20261120",
    "2026-11-20T",
    "2026-11-20T25:00",
    "2026-11-31",
    "-1",
    "1e9",
  ])("%j is none, unless it is milliseconds", (text) => {
    expect(readTime(text)).toBe(/^\d+$/.test(text) ? Number(text) : undefined);
  });
});
