import { afterEach, describe, expect, it } from "vitest";
import type { TrackedRun } from "../../src/contracts/tracking.ts";
import { createGateway } from "../../src/gateway.ts";
import type { Gateway } from "../../src/gateway-api.ts";
import { type MemoryTracking, memoryDiscovery, memoryTracking } from "../../src/memory/index.ts";
import { readAll } from "../../src/testing/checks/bytes.ts";
import { answerJson, httpWire, open } from "../protocols/wire.ts";

/** A model server on a real socket that trains for 300 ms, and logs to a tracker as one of two MLflow clients does. */
async function trainer(client: "2.16" | "2.22", tracking: MemoryTracking, loses202: boolean) {
  const trained: string[] = [];
  const log = (run: Partial<TrackedRun> & Pick<TrackedRun, "id" | "name" | "tags">): void => {
    const status = run.endedAtMs === undefined ? "RUNNING" : "FINISHED";
    const state = status === "RUNNING" ? "active" : "succeeded";
    tracking.setRun({ experimentId: "1", state, status, metrics: {}, params: {}, ...run });
  };
  const { server } = await httpWire((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://x");
    request.resume();
    if (pathname === "/metrics") return void response.end("process_start_time_seconds 1.5\n");
    if (pathname !== "/train_supervised") return answerJson(response, 503, {});
    const name = searchParams.get("tracking_id") ?? "";
    trained.push(name);
    const startedAtMs = Date.now();
    const own = { id: "A", name, startedAtMs, tags: { "training.is.tracked": "True" } };
    const result = {
      id: "B",
      name: "calm-foal-867",
      startedAtMs,
      tags: { "training.trainer.mode": "train" },
    };
    log(own);
    if (client === "2.22") log(result);
    setTimeout(() => {
      const ended = { endedAtMs: Date.now(), metrics: { f1: 0.5 } };
      log({ ...(client === "2.22" ? result : own), ...ended });
    }, 300);
    if (loses202) request.socket.destroy();
    else answerJson(response, 202, { run_id: "A", experiment_id: "1" });
  });
  return { server, trained };
}

describe("a training on a server of its own", () => {
  let gateway: Gateway | undefined;
  afterEach(() => gateway?.stop({ drainMs: 0 }));

  it.each([
    ["2.16", false, undefined],
    ["2.22", false, "B"],
    ["2.16", true, undefined],
    ["2.22", true, "B"],
  ] as const)(
    "that logs with MLflow %s ends once, with its document; its 202 lost: %s",
    async (client, loses202, by) => {
      const tracking = memoryTracking();
      const { server, trained } = await trainer(client, tracking, loses202);
      const protocols = [open({ tracking })];
      const discovery = memoryDiscovery([server]);
      gateway = createGateway({ discovery, protocols });
      await gateway.start();
      const form = { payload: "--x--", contentType: "multipart/form-data; boundary=x" };
      const { id } = await gateway.submit({ model: "m", operation: "train_supervised", ...form });
      expect(await gateway.wait(id, { timeoutMs: 10_000 })).toMatchObject({ state: "succeeded", runId: "A" });
      const { body } = await gateway.result(id);
      const document = JSON.parse(Buffer.from(await readAll(body)).toString()) as Record<string, unknown>;
      expect(document).toMatchObject({
        run: { run_id: "A", run_name: id, status: "FINISHED" },
        metrics: { f1: 0.5 },
        error: null,
      });
      expect((document["result_run"] as { run_id?: string } | undefined)?.run_id).toBe(by);
      expect(trained).toEqual([id]);
    },
  );
});
