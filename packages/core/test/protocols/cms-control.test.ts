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

describe("probe", () => {
  it("asks /readyz and no more when it is there", async () => {
    const { server, asked } = await routes({ "/readyz": { status: 200, text: "medcat_umls" } });
    expect(await open().probe(server)).toMatchObject({ ready: true, instance: "header:boot-1" });
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

describe("info", () => {
  it("is what the server says, verbatim", async () => {
    const text = '{ "api_version" : "0.3.0", "model_card": {"x": 1.0} }';
    const { server } = await routes({ "/info": { status: 200, text } });
    const answer = await open().info(server);
    expect(answer?.status).toBe(200);
    expect(answer === undefined ? "" : (await bytesOf(answer.body)).toString()).toBe(text);
  });

  it("is an error of the server's with its status, and undefined where nobody answers", async () => {
    const { server } = await routes({ "/info": { status: 404, text: "none" } });
    const answer = await open().info(server);
    expect(answer?.status).toBe(404);
    await answer?.body[Symbol.asyncIterator]().return?.();
    expect(await open().info(modelServer("http://127.0.0.1:1"))).toBeUndefined();
  });
});
