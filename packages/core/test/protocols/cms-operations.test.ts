import { describe, expect, it } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { cmsProtocol } from "../../src/protocols/cms.ts";
import { answerJson, bodyReceived, callTo, httpWire, open } from "./wire.ts";

const FORM = "multipart/form-data";
const TABLE: readonly (readonly [string, string, string, string | undefined, "repeatable" | "background"])[] =
  [
    ["info", "GET", "/info", undefined, "repeatable"],
    ["process", "POST", "/process", "text/plain", "repeatable"],
    ["process_jsonl", "POST", "/process_jsonl", "application/x-ndjson", "repeatable"],
    ["process_bulk", "POST", "/process_bulk", "application/json", "repeatable"],
    ["process_bulk_file", "POST", "/process_bulk_file", FORM, "repeatable"],
    ["redact", "POST", "/redact", "text/plain", "repeatable"],
    ["redact_with_encryption", "POST", "/redact_with_encryption", "application/json", "repeatable"],
    ["preview", "POST", "/preview", "text/plain", "repeatable"],
    ["preview_trainer_export", "POST", "/preview_trainer_export", FORM, "repeatable"],
    ["train_supervised", "POST", "/train_supervised", FORM, "background"],
    ["train_unsupervised", "POST", "/train_unsupervised", FORM, "background"],
    [
      "train_unsupervised_with_hf_hub_dataset",
      "POST",
      "/train_unsupervised_with_hf_hub_dataset",
      FORM,
      "background",
    ],
    ["train_metacat", "POST", "/train_metacat", FORM, "background"],
    ["evaluate", "POST", "/evaluate", FORM, "background"],
    ["sanity-check", "POST", "/sanity-check", FORM, "repeatable"],
    ["iaa-scores", "POST", "/iaa-scores", FORM, "repeatable"],
    ["concat_trainer_exports", "POST", "/concat_trainer_exports", FORM, "repeatable"],
    ["annotation-stats", "POST", "/annotation-stats", FORM, "repeatable"],
    ["embeddings", "POST", "/v1/embeddings", "application/json", "repeatable"],
    ["generate", "POST", "/generate", "text/plain", "repeatable"],
  ];

describe("the operations of CMS", () => {
  it("are these twenty", () => {
    expect([...open().operations.keys()]).toEqual(TABLE.map(([name]) => name));
  });

  it.each(TABLE)("%s is sent as %s %s", async (operation, method, path, contentType, kind) => {
    const seen: string[] = [];
    const { server } = await httpWire(async (request, response) => {
      const body = await bodyReceived(request);
      seen.push(`${request.method} ${request.url} ${request.headers["content-type"]} ${body.byteLength}`);
      answerJson(response, kind === "background" ? 202 : 200, { run_id: "r1" });
    }, "/base");
    const protocol = open();
    const spec = protocol.operations.get(operation);
    expect(spec).toMatchObject({
      repeatable: kind === "repeatable",
      background: kind === "background",
    });
    expect(spec?.contentType).toBe(contentType);
    expect(spec?.timeoutMs).toBeGreaterThan(0);
    const sentType = contentType === FORM ? `${FORM}; boundary=x` : contentType;
    const outcome = await protocol.call(
      callTo(server, { operation, contentType: sentType, payload: Buffer.from("1234"), query: "a=1" }),
    );
    expect(outcome.kind).toBe(kind === "background" ? "accepted" : "done");
    const query = kind === "background" ? "?a=1&tracking_id=task-1" : "?a=1";
    // What was accepted is followed by a look at which process did so.
    const sent = seen.filter((line) => !line.includes("/metrics"));
    expect(sent).toEqual([`${method} /base${path}${query} ${sentType} ${method === "GET" ? 0 : 4}`]);
  });

  it("refuses one that it does not know, and lets go of the payload", async () => {
    let isReleased = false;
    async function* payload(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("x");
    }
    const stream = payload();
    const released = stream.return.bind(stream);
    stream.return = async (value) => {
      isReleased = true;
      return released(value);
    };
    const { server } = await httpWire(() => {});
    await expect(open().call(callTo(server, { operation: "dance", payload: stream }))).rejects.toMatchObject({
      code: "OPERATION_UNKNOWN",
    });
    expect(isReleased).toBe(true);
  });

  it("take time limits as options", () => {
    const protocol = open({ timeoutsMs: { process: 1234, "sanity-check": 99 } });
    expect(protocol.operations.get("process")?.timeoutMs).toBe(1234);
    expect(protocol.operations.get("sanity-check")?.timeoutMs).toBe(99);
    expect(protocol.operations.get("redact")?.timeoutMs).toBe(120_000);
  });

  it.each([
    ["timeoutsMs.process", { timeoutsMs: { process: 0 } }],
    ["connections", { connections: 1.5 }],
    ["keepAliveMs", { keepAliveMs: Number.NaN }],
    ["probeTimeoutMs", { probeTimeoutMs: -1 }],
    ["retries", { retries: 3 }],
    ["timeoutsMs.dance", { timeoutsMs: { dance: 3 } }],
  ])("refuse the bad option %s by name", (field, options: object) => {
    const open = (): unknown => cmsProtocol(options);
    expect(open).toThrow(GatewayError);
    expect(open).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS", details: { field } }));
  });
});
