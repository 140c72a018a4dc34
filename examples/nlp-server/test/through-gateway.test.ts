import { constants, generateKeyPairSync, privateDecrypt } from "node:crypto";
import { cmsProtocol, createGateway, type Gateway, staticDiscovery } from "@modelgate/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exportsForm, formOf } from "./forms.ts";
import { zipOf } from "./packages.ts";
import { type Running, start } from "./running.ts";

// Every task of CMS, through a gateway: each comes back with what the model really found or learned.

const note = "😀 John Smith was seen in Berlin on 12 March 2024.";
let running: Running;
let gateway: Gateway;
let closeParts: () => Promise<unknown>;

beforeAll(async () => {
  running = await start({ modelName: "notes", metacat: true });
  const cms = cmsProtocol();
  const discovery = staticDiscovery({
    servers: [{ name: "notes", url: running.url }],
    probe: new Map([["cms", cms]]),
  });
  gateway = createGateway({ discovery, protocols: [cms] });
  await gateway.start();
  closeParts = async () => {
    await gateway.stop({ drainMs: 0 });
    await Promise.all([discovery.close(), cms.close(), running.close()]);
  };
});

afterAll(() => closeParts());

interface Sent {
  payload: string | FormData;
  contentType?: string;
  query?: string;
}

async function run(operation: string, { payload, contentType, query = "" }: Sent): Promise<string> {
  const encoded = payload instanceof FormData ? new Response(payload) : undefined;
  const task = await gateway.submit({
    model: "notes",
    operation,
    query,
    payload: encoded ? new Uint8Array(await encoded.arrayBuffer()) : (payload as string),
    contentType: encoded?.headers.get("content-type") ?? contentType,
  });
  const ended = await gateway.wait(task.id, { timeoutMs: 15_000 });
  expect([operation, ended.state, ended.error]).toEqual([operation, "succeeded", undefined]);
  const { body } = await gateway.result(task.id);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const labelsIn = (json: string): string[] =>
  [...json.matchAll(/"label_id":\s?"(\w+)"/g)].map(([, id]) => id ?? "");

describe("through a gateway", () => {
  it.each(["process", "process_jsonl", "process_bulk", "process_bulk_file"])(
    "%s finds entities",
    async (name) => {
      const sent: Record<string, Sent> = {
        process: { payload: note },
        process_jsonl: { payload: JSON.stringify({ text: note, name: "a" }) },
        process_bulk: { payload: JSON.stringify([note]) },
        process_bulk_file: { payload: formOf("multi_text_file", JSON.stringify([note])) },
      };
      expect(labelsIn(await run(name, sent[name] as Sent))).toEqual(["PERSON", "PLACE", "DATE"]);
    },
  );

  it("info tells what the model is", async () => {
    expect(JSON.parse(await run("info", { payload: "" }))).toMatchObject({ model_description: "notes" });
  });

  it("redact takes out what was found, but what is to be kept", async () => {
    const query = "concepts_to_keep=PLACE&concepts_to_keep=DATE";
    expect(await run("redact", { payload: note, query })).toBe(
      "😀 [Person] was seen in Berlin on 12 March 2024.",
    );
  });

  it("redact_with_encryption can be undone by the owner of the key", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const public_key_pem = publicKey.export({ type: "spki", format: "pem" });
    const answer = await run("redact_with_encryption", {
      payload: JSON.stringify({ text: note, public_key_pem }),
    });
    const { redacted_text, encryptions } = JSON.parse(answer) as {
      redacted_text: string;
      encryptions: { label: string; encryption: string }[];
    };
    const undone = encryptions.reduce((text, { label, encryption }) => {
      const key = { key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" };
      return text.replace(label, privateDecrypt(key, Buffer.from(encryption, "base64")).toString());
    }, redacted_text);
    expect([redacted_text.includes("John"), undone]).toEqual([false, note]);
  });

  it("preview and preview_trainer_export show entities", async () => {
    expect(await run("preview", { payload: note })).toMatch(/^<div class="entities".*Berlin.*<\/div>$/);
    const html = await run("preview_trainer_export", { payload: exportsForm("a"), query: "document_id=105" });
    expect(html).toContain("P1/D105");
  });

  it("the evaluations measure exports", async () => {
    expect(await run("sanity-check", { payload: exportsForm("a") })).toContain(
      "PLACE,Place,0.6666666666666666,1.0,0.8\n",
    );
    expect(await run("annotation-stats", { payload: exportsForm("c") })).toContain("FEVER,3,1,2\n");
    const query = "annotator_a_project_id=1&annotator_b_project_id=2&scope=per_document";
    expect(await run("iaa-scores", { payload: exportsForm("a", "b"), query })).toContain(
      "104,66.66666666666666,0.6,",
    );
    const joined = JSON.parse(await run("concat_trainer_exports", { payload: exportsForm("a", "c") })) as {
      projects: { id: number }[];
    };
    expect(joined.projects.map(({ id }) => id)).toEqual([1, 3]);
  });

  it("the trainings and the evaluation end with the document of their run, and teach the model", async () => {
    const marked = JSON.stringify({
      projects: [
        {
          id: 1,
          documents: [
            {
              id: 1,
              text: "Her husband came along.",
              annotations: [
                {
                  start: 0,
                  end: 11,
                  cui: "KIN",
                  meta_anns: { Status: { name: "Status", value: "Affirmed" } },
                },
                { start: 17, end: 22, cui: "KIN", correct: false, meta_anns: {} },
              ],
            },
          ],
        },
      ],
    });
    const texts = ["Dr Okafor was seen at Queens General Hospital (QGH).", "Dr Okafor left."];
    const packed = new FormData();
    const rows = texts.map((text) => JSON.stringify({ text })).join("\n");
    packed.append("hf_dataset_package", new Blob([new Uint8Array(zipOf({ "a.jsonl": rows }))]), "set.zip");
    const sent: Record<string, Sent> = {
      evaluate: { payload: exportsForm("a") },
      train_supervised: { payload: formOf("trainer_export", marked), query: "test_size=0" },
      train_unsupervised: { payload: formOf("training_data", JSON.stringify(texts)) },
      train_unsupervised_with_hf_hub_dataset: { payload: packed },
      train_metacat: { payload: formOf("trainer_export", marked), query: "epochs=2" },
    };
    const metrics: Record<string, unknown> = {
      evaluate: { precision: 0.8 },
      train_supervised: { recall: 1 },
      train_unsupervised: { number_of_docs: 2, number_of_names: 2 },
      train_unsupervised_with_hf_hub_dataset: { number_of_docs: 2 },
      train_metacat: { status_accuracy: 1 },
    };
    for (const [name, task] of Object.entries(sent)) {
      const document = JSON.parse(await run(name, task)) as unknown;
      expect(document).toMatchObject({
        run: { status: "FINISHED" },
        metrics: metrics[name],
        tags: { "training.trainer.mode": name === "evaluate" ? "eval" : "train" },
        error: null,
      });
    }
    const { annotations } = JSON.parse(
      await run("process", { payload: "Her husband and Okafor were at QGH." }),
    ) as { annotations: { text: string; label_id: string; meta_anns: unknown }[] };
    expect(annotations.map(({ text, label_id }) => [text, label_id])).toEqual([
      ["Her husband", "KIN"],
      ["Okafor", "PERSON"],
      ["QGH", "ORGANISATION"],
    ]);
    expect(annotations[0]?.meta_anns).toMatchObject({ Status: { value: "Affirmed" } });
  });
});
