import { describe, expect, it } from "vitest";
import { answerJson, bodyOf, bytesOf, callTo, cannedWire, httpWire, open } from "./wire.ts";

const TRAIN = { operation: "train_supervised", contentType: "multipart/form-data; boundary=x" };

describe("what an answer means", () => {
  it("200 is done, with status, types, size and body", async () => {
    const { server } = await httpWire((_request, response) => {
      response.writeHead(200, {
        "content-type": "application/json; charset=utf-8",
        "content-disposition": 'attachment ; filename="entities_1.json"',
        "content-length": 2,
      });
      response.end("[]");
    });
    const outcome = await open().call(callTo(server));
    expect(outcome).toMatchObject({
      kind: "done",
      answer: {
        status: 200,
        contentType: "application/json; charset=utf-8",
        disposition: 'attachment ; filename="entities_1.json"',
        sizeBytes: 2,
      },
    });
    expect((await bytesOf(bodyOf(outcome))).toString()).toBe("[]");
  });

  it("202 of background work is accepted, under the run's id", async () => {
    const { server } = await httpWire((_request, response) => {
      response.setHeader("x-instance-id", "boot-7");
      answerJson(response, 202, { message: "started", training_id: "task-1", run_id: "b3a9" });
    });
    expect(await open().call(callTo(server, TRAIN))).toEqual({
      kind: "accepted",
      runId: "b3a9",
      instance: "header:boot-7",
    });
  });

  it("202 without the header names the process by when it began", async () => {
    const { server } = await httpWire((request, response) => {
      if (request.url === "/metrics")
        response.end("# TYPE x gauge\nprocess_start_time_seconds 1.7e+09\nx 1\n");
      else answerJson(response, 202, { run_id: "b3a9" });
    });
    expect(await open().call(callTo(server, TRAIN))).toMatchObject({ instance: "process:1.7e%2B09" });
  });

  it("202 is accepted though the metrics never come", async () => {
    const { server } = await httpWire((request, response) => {
      if (request.url !== "/metrics") answerJson(response, 202, { run_id: "b3a9" });
      else request.socket.destroy();
    });
    expect(await open().call(callTo(server, TRAIN))).toEqual({ kind: "accepted", runId: "b3a9" });
  });

  it.each([
    ["no JSON", "HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\nOK"],
    ["a body that breaks off", "HTTP/1.1 202 Accepted\r\ncontent-length: 20\r\n\r\n{"],
    ["a body that is too long", `HTTP/1.1 202 Accepted\r\n\r\n{"run_id":"${"x".repeat(70_000)}"}`],
  ])("202 with %s is accepted all the same", async (_name, text) => {
    const { server } = await cannedWire(text, { end: true });
    expect(await open().call(callTo(server, TRAIN))).toEqual({
      kind: "accepted",
      runId: undefined,
      instance: undefined,
    });
  });

  it("202 of anything else is done", async () => {
    const { server } = await httpWire((_request, response) => answerJson(response, 202, {}));
    expect(await open().call(callTo(server))).toMatchObject({ kind: "done", answer: { status: 202 } });
  });

  it("429 is busy, without a Retry-After too", async () => {
    const { server } = await httpWire((_request, response) =>
      answerJson(response, 429, { message: "Too many" }),
    );
    expect(await open().call(callTo(server))).toEqual({
      kind: "refused",
      reason: "busy",
      retryAfterMs: undefined,
      blockingRunId: undefined,
    });
  });

  it.each([
    [429, "7", 7000],
    [503, "0", 0],
    [503, "999999", 600_000],
    [429, "soon", undefined],
  ])("%i with Retry-After %s waits %s ms", async (status, header, retryAfterMs) => {
    const { server } = await httpWire((_request, response) => {
      response.setHeader("retry-after", header);
      answerJson(response, status, {});
    });
    expect(await open().call(callTo(server))).toMatchObject({
      kind: "refused",
      reason: "busy",
      retryAfterMs,
    });
  });

  it("Retry-After as a date is held against the answer's own date", async () => {
    const { server } = await httpWire((_request, response) => {
      response.setHeader("date", "Wed, 21 Oct 2015 07:28:00 GMT");
      response.setHeader("retry-after", "Wed, 21 Oct 2015 07:28:30 GMT");
      answerJson(response, 503, {});
    });
    expect(await open().call(callTo(server))).toMatchObject({ retryAfterMs: 30_000 });
  });

  it("503 that names a run is busy with it", async () => {
    const { server } = await httpWire((_request, response) =>
      answerJson(response, 503, { message: "still active", experiment_id: "1", run_id: "blocker" }),
    );
    expect(await open().call(callTo(server, TRAIN))).toMatchObject({
      kind: "refused",
      reason: "busy",
      blockingRunId: "blocker",
    });
  });

  it("503 that never finishes its text is busy all the same", async () => {
    const { server } = await cannedWire("HTTP/1.1 503 No\r\nretry-after: 2\r\ncontent-length: 9\r\n\r\n{", {
      end: true,
    });
    expect(await open().call(callTo(server, TRAIN))).toMatchObject({ reason: "busy", retryAfterMs: 2000 });
  });

  it.each([502, 504])("%i is broken by a bad gateway", async (status) => {
    const { server } = await httpWire((_request, response) => answerJson(response, status, {}));
    expect(await open().call(callTo(server))).toEqual({ kind: "broken", reason: "bad_gateway" });
  });

  it.each([301, 307, 400, 401, 404, 405, 408, 413, 422, 500, 501, 507])(
    "%i is rejected, and its answer kept",
    async (status) => {
      let requests = 0;
      const { server } = await httpWire((_request, response) => {
        requests += 1;
        response.setHeader("location", "/elsewhere");
        answerJson(response, status, { message: "why" });
      });
      const outcome = await open().call(callTo(server));
      expect(outcome).toMatchObject({
        kind: "rejected",
        answer: { status, contentType: "application/json" },
      });
      expect((await bytesOf(bodyOf(outcome))).toString()).toBe('{"message":"why"}');
      expect(requests).toBe(1);
    },
  );

  it("hints before the answer are passed over", async () => {
    const { server } = await cannedWire(
      "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    );
    const outcome = await open().call(callTo(server));
    expect((await bytesOf(bodyOf(outcome))).toString()).toBe("ok");
  });
});
