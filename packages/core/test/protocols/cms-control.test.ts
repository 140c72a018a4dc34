import { describe, expect, it } from "vitest";
import { answerJson, bytesOf, cannedWire, httpWire, modelServer, open, rawWire } from "./wire.ts";

/** Answers by path; 404 in CMS's words for everything else. */
function routes(answers: Readonly<Record<string, { status: number; json?: unknown; text?: string }>>) {
  const asked: string[] = [];
  const wire = httpWire((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const path = new URL(request.url ?? "", "http://x").pathname;
    const answer = answers[path] ?? { status: 404, json: { detail: "Not Found" } };
    if (answer.text === undefined) answerJson(response, answer.status, answer.json);
    else response.writeHead(answer.status, { "x-instance-id": "boot-1" }).end(answer.text);
  });
  return wire.then(({ server }) => ({ server, asked }));
}

function runInfo(status: string, more: object = {}): object {
  return { run_id: "r1", run_name: "task-1", status, start_time: 10, end_time: null, ...more };
}

describe("probe", () => {
  it("asks /readyz and no more when it is there", async () => {
    const { server, asked } = await routes({ "/readyz": { status: 200, text: "medcat_umls" } });
    expect(await open().probe(server)).toMatchObject({ ready: true, instance: "boot-1" });
    expect(asked).toEqual(["GET /readyz"]);
  });

  it.each([404, 405, 501])("asks /info when /readyz answers %i", async (status) => {
    const { server, asked } = await routes({
      "/readyz": { status, json: {} },
      "/info": { status: 200, json: {} },
    });
    expect(await open().probe(server)).toMatchObject({ ready: true, models: undefined });
    expect(asked).toEqual(["GET /readyz", "GET /info"]);
  });

  it("asks /v1/models last, and hears which models there are", async () => {
    const { server } = await routes({
      "/v1/models": { status: 200, json: { object: "list", data: [{ id: "a" }, { id: 3 }, { id: "b" }] } },
    });
    expect(await open().probe(server)).toMatchObject({ ready: true, models: ["a", "b"] });
  });

  it.each([
    [503, "/readyz answered 503"],
    [307, "/readyz answered 307"],
    [500, "/readyz answered 500"],
    [401, "/readyz answered 401"],
  ])("is not ready on %i, and says so", async (status, reason) => {
    const { server, asked } = await routes({
      "/readyz": { status, json: {} },
      "/info": { status: 200, json: {} },
    });
    expect(await open().probe(server)).toMatchObject({ ready: false, reason });
    expect(asked).toHaveLength(1);
  });

  it("is not ready where none of the three is", async () => {
    const { server } = await routes({});
    expect(await open().probe(server)).toEqual({
      ready: false,
      reason: "it has none of /readyz, /info, /v1/models",
    });
  });

  it("is not ready without a connection, an answer in time, or an address", async () => {
    const hanging = await rawWire((socket) => socket.resume());
    const broken = await cannedWire("nonsense\r\n\r\n");
    const protocol = open({ probeTimeoutMs: 80 });
    expect(await protocol.probe(modelServer("http://127.0.0.1:1"))).toMatchObject({
      reason: "no connection",
    });
    expect(await protocol.probe(hanging.server)).toMatchObject({
      ready: false,
      reason: "/readyz did not answer within 80 ms",
    });
    expect(await protocol.probe(broken.server)).toMatchObject({ reason: "/readyz gave no usable answer" });
    expect(await protocol.probe(modelServer("nonsense"))).toMatchObject({ ready: false });
  });

  it("reaches ports that a browser must not", async () => {
    expect(await open().probe(modelServer("http://127.0.0.1:6000"))).toMatchObject({
      reason: "no connection",
    });
  });

  it("is ready by the status, whatever the body does", async () => {
    const { server } = await cannedWire("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhalf", { end: true });
    expect(await open().probe(server)).toMatchObject({ ready: true });
  });

  it("does not wait behind running calls", async () => {
    const { server } = await httpWire((request, response) => {
      if (request.url === "/readyz") response.end("ok");
    });
    const protocol = open({ connections: 1 });
    const call = protocol.call({
      server,
      model: "m",
      operation: "process",
      taskId: "t",
      query: "",
      sizeBytes: 1,
      payload: Buffer.from("x"),
      onSend: () => {},
      timeoutMs: 10_000,
    });
    call.catch(() => {});
    expect(await protocol.probe(server)).toMatchObject({ ready: true });
  });

  it("is stopped by an abort", async () => {
    const { server, sockets } = await rawWire((socket) => socket.resume());
    const controller = new AbortController();
    const probe = open().probe(server, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 30);
    await expect(probe).rejects.toThrow("enough");
    await expect.poll(() => sockets[0]?.destroyed).toBe(true);
  });
});

describe("findRun", () => {
  it.each([
    ["RUNNING", "active"],
    ["SCHEDULED", "active"],
    ["FINISHED", "succeeded"],
    ["FAILED", "failed"],
    ["KILLED", "failed"],
    ["ELSE", "unclear"],
  ])("takes %s for %s", async (status, run) => {
    const { server, asked } = await routes({ "/train_eval_info": { status: 200, json: [runInfo(status)] } });
    const report = await open().findRun({ server, taskId: "task 1" });
    expect(report).toMatchObject({ run, runId: "r1" });
    expect(report.idle).toBeUndefined();
    expect(asked).toEqual(["GET /train_eval_info?train_eval_id=task+1"]);
    const document = run === "succeeded" || run === "failed" ? runInfo(status) : undefined;
    const bytes = report.document === undefined ? undefined : await bytesOf(report.document.body);
    expect(bytes === undefined ? undefined : JSON.parse(bytes.toString())).toEqual(document);
    expect(report.document?.sizeBytes).toBe(bytes?.byteLength);
  });

  it("is sure of none only by the server's empty list", async () => {
    const none = await routes({ "/train_eval_info": { status: 404, json: [] } });
    expect(await open().findRun({ server: none.server, taskId: "t" })).toMatchObject({ run: "none" });
    const without = await routes({});
    expect(await open().findRun({ server: without.server, taskId: "t" })).toMatchObject({ run: "unclear" });
  });

  it.each([
    ["503", { status: 503, json: { message: "no trainers" } }],
    ["500", { status: 500, json: [] }],
    ["an empty list", { status: 200, json: [] }],
    ["no JSON", { status: 200, text: "<html>" }],
    ["no runs", { status: 200, json: [1, null] }],
  ])("is unclear on %s", async (_name, answer) => {
    const { server } = await routes({ "/train_eval_info": answer });
    expect(await open().findRun({ server, taskId: "t" })).toMatchObject({ run: "unclear" });
  });

  it("is unclear without an answer, and without an id to ask for", async () => {
    const gone = modelServer("http://127.0.0.1:1");
    expect(await open().findRun({ server: gone, taskId: "t" })).toEqual({ run: "unclear" });
    expect(await open().findRun({ server: gone })).toEqual({ run: "unclear" });
  });

  it("picks the run asked for, else one that works, else the newest", async () => {
    const runs = [
      runInfo("FAILED", { run_id: "a", start_time: 1 }),
      runInfo("FINISHED", { run_id: "b", start_time: 3 }),
      runInfo("KILLED", { run_id: "c", start_time: 2 }),
    ];
    const ended = await routes({ "/train_eval_info": { status: 200, json: runs } });
    expect(await open().findRun({ server: ended.server, taskId: "t" })).toMatchObject({ runId: "b" });
    expect(await open().findRun({ server: ended.server, taskId: "t", runId: "a" })).toMatchObject({
      run: "failed",
      runId: "a",
    });
    expect(await open().findRun({ server: ended.server, taskId: "t", runId: "z" })).toMatchObject({
      run: "unclear",
    });
    const working = [...runs, runInfo("RUNNING", { run_id: "d", start_time: 0 })];
    const active = await routes({ "/train_eval_info": { status: 200, json: working } });
    expect(await open().findRun({ server: active.server, taskId: "t" })).toMatchObject({ runId: "d" });
  });
});

describe("cancelRun", () => {
  it("asks the server only while our run is active there", async () => {
    const { server, asked } = await routes({
      "/train_eval_info": { status: 200, json: [runInfo("RUNNING")] },
      "/cancel_training": { status: 202, json: {} },
    });
    expect(await open().cancelRun({ server, taskId: "t" })).toBe(true);
    expect(asked).toEqual(["GET /train_eval_info?train_eval_id=t", "POST /cancel_training"]);
  });

  it.each([
    ["ended", { status: 200, json: [runInfo("FINISHED")] }],
    ["not known", { status: 404, json: [] }],
    ["unclear", { status: 503, json: {} }],
  ])("asks nothing when the run is %s", async (_name, answer) => {
    const { server, asked } = await routes({ "/train_eval_info": answer });
    expect(await open().cancelRun({ server, taskId: "t" })).toBe(false);
    expect(asked).toHaveLength(1);
  });

  it("says when the server did not take it", async () => {
    const { server } = await routes({
      "/train_eval_info": { status: 200, json: [runInfo("RUNNING")] },
      "/cancel_training": { status: 400, json: { message: "Cannot find in-progress training" } },
    });
    expect(await open().cancelRun({ server, taskId: "t" })).toBe(false);
  });
});

describe("info", () => {
  it("is what the server says, verbatim", async () => {
    const text = '{ "api_version" : "0.3.0", "model_card": {"x": 1.0} }';
    const { server } = await routes({ "/info": { status: 200, text } });
    const answer = await open().info(server);
    expect(answer?.status).toBe(200);
    expect(answer === undefined ? "" : (await bytesOf(answer.body)).toString()).toBe(text);
  });

  it("is undefined when there is none, or no server", async () => {
    const { server } = await routes({});
    expect(await open().info(server)).toBeUndefined();
    expect(await open().info(modelServer("http://127.0.0.1:1"))).toBeUndefined();
  });
});
