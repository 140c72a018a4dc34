import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { call } from "../support/http-client.ts";
import { type Fixture, openFixture } from "./fixture.ts";

describe("modelgate serve --log-requests", () => {
  let fixture: Fixture;

  beforeAll(async () => {
    fixture = await openFixture();
  });
  afterAll(() => fixture.close());

  it("writes a line for each request, and none of what it holds", async () => {
    const { url, running } = await fixture.serve("--log-requests", "--json-logs");
    const { json } = await call(url, "/models/nlp/tasks/process?who=Maria", {
      method: "POST",
      headers: { "content-type": "text/plain", "x-request-id": "r-1", "x-modelgate-key": "Keller" },
      body: "Dr. Keller",
    });
    const line = await vi.waitFor(() => {
      const found = running
        .stderr()
        .split("\n")
        .find((each) => each.includes('"r-1"'));
      if (found === undefined) throw new Error("there is no such line yet");
      return JSON.parse(found);
    });
    expect(line).toMatchObject({
      ...{ level: "info", message: "request answered", role: "serve", requestId: "r-1", method: "POST" },
      ...{ route: "/models/{model}/tasks/{task}", model: "nlp", task: json.uuid, status: 200 },
    });
    expect(running.stderr()).not.toMatch(/Maria|Keller/);
    const { text } = await call(url, "/metrics");
    expect(text).toMatch(/^modelgate_ledger_call_seconds_count\{operation="submit",outcome="ok"\} 1$/m);
    expect(text).toMatch(/^modelgate_data_disk_free_bytes \d+/m);
  });
});
