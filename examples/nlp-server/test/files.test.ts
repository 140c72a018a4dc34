import { constants, generateKeyPairSync, privateDecrypt } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exportsForm, fileOf, formOf, postForm } from "./forms.ts";
import { readNotes } from "./quality.ts";
import { type Running, start } from "./running.ts";

const note = "😀 John Smith was seen in Berlin on 12 March 2024.";
let running: Running;

beforeAll(async () => {
  running = await start({ faults: true });
});

afterAll(() => running.close());

describe("POST /process_bulk_file", () => {
  const post = (form: FormData, query = ""): Promise<Response> =>
    postForm(running, `/process_bulk_file${query}`, form);

  it("gives what /process_bulk gives for the same texts, as a file", async () => {
    const texts = JSON.stringify([note, "", ...readNotes().map(({ text }) => text)]);
    const response = await post(formOf("multi_text_file", texts), "?tracking_id=bulk_1");
    expect(fileOf(response)).toEqual(["application/json", 'attachment ; filename="entities_bulk_1.json"']);
    expect(await response.json()).toEqual(
      await (await running.post("/process_bulk", texts, "application/json")).json(),
    );
  });

  it("counts its texts", async () => {
    await fetch(`${running.url}/_stats`, { method: "DELETE" });
    await post(formOf("multi_text_file", '["once","twice","twice"]'));
    const { texts } = await running.stats();
    expect(Object.values(texts).map(({ answered }) => answered)).toEqual([1, 2]);
  });

  it.each([
    ["broken JSON", "not json", /^Unexpected symbol/],
    ["no list", '{"a":1}', /not a JSON list/],
    ["no texts", '["a",1]', /Item 1/],
  ])("refuses a file with %s as CMS does, and quotes nothing", async (_, content, sentence) => {
    const response = await post(formOf("multi_text_file", content));
    expect(response.status).toBe(500);
    const { message } = (await response.json()) as { message: string };
    expect(message).toMatch(sentence);
  });

  it("refuses a file that is no UTF-8", async () => {
    const form = new FormData();
    form.append("multi_text_file", new Blob([Buffer.from('["caf\xe9"]', "latin1")]), "a.json");
    const response = await post(form);
    expect([response.status, await response.json()]).toEqual([
      500,
      { message: "'utf-8' codec can't decode the request body" },
    ]);
  });

  it("refuses a form without the file", async () => {
    const response = await post(formOf("file", "[]"));
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({
      detail: [{ type: "missing", loc: ["body", "multi_text_file"] }],
    });
  });
});

describe("POST /redact_with_encryption", () => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const post = (body: unknown, query = ""): Promise<Response> =>
    running.post(`/redact_with_encryption${query}`, JSON.stringify(body), "application/json");

  it("encrypts what it takes out, for the owner of the key", async () => {
    const response = await post({ text: note, public_key_pem: publicKey });
    expect(response.headers.get("content-type")).toBe("application/json");
    const { redacted_text, encryptions } = (await response.json()) as {
      redacted_text: string;
      encryptions: { label: string; encryption: string }[];
    };
    expect(redacted_text).toBe("😀 [REDACTED_0] was seen in [REDACTED_1] on [REDACTED_2].");
    const decrypted = encryptions.map(({ label, encryption }) => {
      const padding = constants.RSA_PKCS1_OAEP_PADDING;
      const bytes = Buffer.from(encryption, "base64");
      return [label, privateDecrypt({ key: privateKey, padding, oaepHash: "sha256" }, bytes).toString()];
    });
    expect(decrypted).toEqual([
      ["[REDACTED_0]", "John Smith"],
      ["[REDACTED_1]", "Berlin"],
      ["[REDACTED_2]", "12 March 2024"],
    ]);
  });

  it("takes a key in the older form too", async () => {
    const older = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey;
    const public_key_pem = older.export({ type: "pkcs1", format: "pem" });
    expect((await post({ text: note, public_key_pem })).status).toBe(200);
  });

  it("gives a text without entities as it is, or warns", async () => {
    const body = { text: "all is well", public_key_pem: "never read" };
    expect(await (await post(body)).json()).toEqual({ redacted_text: "all is well", encryptions: [] });
    expect(await (await post(body, "?warn_on_no_redaction=true")).json()).toEqual({
      message: "WARNING: No entities were detected for redaction.",
    });
  });

  it("refuses what is no public key of RSA", async () => {
    const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
    const short = generateKeyPairSync("rsa", { modulusLength: 512 }).publicKey;
    const keys = [
      ["no key", /^Unable to load PEM file/],
      [privateKey, /^Unable to load PEM file/],
      ["-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", /^Unable to load PEM file/],
      [ec.export({ type: "spki", format: "pem" }), /not one of RSA/],
      [short.export({ type: "spki", format: "pem" }), /too long/],
    ] as const;
    for (const [public_key_pem, sentence] of keys) {
      const response = await post({ text: note, public_key_pem });
      expect(response.status).toBe(500);
      expect(((await response.json()) as { message: string }).message).toMatch(sentence);
    }
  });

  it("names every field that is missing or of the wrong kind", async () => {
    const response = await post({ public_key_pem: 1 });
    expect(response.status).toBe(422);
    const { detail } = (await response.json()) as { detail: { type: string; loc: string[] }[] };
    expect(detail.map(({ type, loc }) => [type, ...loc])).toEqual([
      ["missing", "body", "text"],
      ["string_type", "body", "public_key_pem"],
    ]);
    expect((await post([])).status).toBe(422);
    expect((await running.post("/redact_with_encryption", "", "application/json")).status).toBe(422);
  });
});

describe("POST /preview", () => {
  it("marks the entities in the elements of displaCy", async () => {
    const response = await running.post("/preview?tracking_id=p-1", "<b> and John Smith\nin Berlin & away");
    expect(fileOf(response)).toEqual([
      "application/octet-stream",
      'attachment ; filename="preview_p-1.html"',
    ]);
    const html = await response.text();
    expect(html).toMatch(/^<div class="entities" style="[^"]*">/);
    expect(withoutStyles(html)).toBe(
      '<div class="entities">&lt;b&gt; and ' +
        '<mark class="entity">John Smith <span>Person <a href="#">PERSON</a></span></mark>' +
        "<br>in " +
        '<mark class="entity">Berlin <span>Place <a href="#">PLACE</a></span></mark> &amp; away</div>',
    );
  });

  it("names its file by a new id when it is given none", async () => {
    const response = await running.post("/preview", "nothing here");
    expect(response.headers.get("content-disposition")).toMatch(/filename="preview_[0-9a-f-]{36}\.html"$/);
    expect((await running.post("/preview", "")).status).toBe(422);
  });
});

describe("POST /preview_trainer_export", () => {
  const post = (query: string, form: FormData): Promise<Response> =>
    postForm(running, `/preview_trainer_export${query}`, form);

  it("shows every document under its project, with what the annotators decided", async () => {
    const response = await post("?tracking_id=p-2", exportsForm("a", "c"));
    expect(fileOf(response)).toEqual([
      "application/octet-stream",
      'attachment ; filename="preview_p-2.html"',
    ]);
    const parts = (await response.text()).split("<br/>");
    const titles = parts.map((part) => /^<h2 style="margin: 0">(.*?)<\/h2>/.exec(part)?.[1]);
    expect(titles).toEqual(["P1/D104", "P1/D105", "P3/D106"]);
    const first = withoutStyles(parts[0] ?? "");
    expect(first).toContain('Mr. Tomás García <span>PERSON (correct) <a href="#">PERSON</a>');
    expect(first).toContain("Manchester <span>PLACE (correct; terminated) ");
    expect(first).toContain("10 <span>CARDINAL (incorrect) ");
    // The date behind the emoji is cut at code points.
    expect(first).toContain("Discussed NRT 🙂. Wants to stop by <mark");
    expect(first).toContain('<mark class="entity">next Monday <span>');
  });

  it("shows one project or one document", async () => {
    const titles = async (query: string): Promise<(string | undefined)[]> => {
      const html = await (await post(query, exportsForm("a", "b"))).text();
      return [...html.matchAll(/<h2[^>]*>(.*?)<\/h2>/g)].map(([, title]) => title);
    };
    expect(await titles("?project_id=2")).toEqual(["P2/D104", "P2/D105"]);
    expect(await titles("?document_id=105")).toEqual(["P1/D105", "P2/D105"]);
    expect(await titles("?project_id=1&document_id=104")).toEqual(["P1/D104"]);
  });

  it("takes an export from a field, in any form", async () => {
    const source = JSON.stringify({
      projects: [{ id: 9, documents: [{ id: 8, text: "a b", annotations: [] }] }],
    });
    const form = new FormData();
    form.append("trainer_export_str", source);
    expect(await (await post("", form)).text()).toMatch(/P9\/D8<\/h2>\n.*>a b<\/div>$/);
    const type = "application/x-www-form-urlencoded";
    const body = new URLSearchParams({ trainer_export_str: source }).toString();
    expect((await running.post("/preview_trainer_export", body, type)).status).toBe(200);
  });

  it("puts annotations in order, also ones that overlap", async () => {
    const annotations = [
      { start: 4, end: 9, cui: "B" },
      { start: 0, end: 6, cui: "A" },
    ];
    const source = JSON.stringify({
      projects: [{ id: 1, documents: [{ id: 1, text: "acute pain now", annotations }] }],
    });
    const html = withoutStyles(await (await post("", formOf("trainer_export", source))).text());
    expect(html.replace(/<span>.*?<\/span>/g, "")).toContain(
      '<mark class="entity">acute  </mark><mark class="entity">e pai </mark>n now',
    );
  });

  it("finds nothing to show", async () => {
    for (const [query, form] of [
      ["?project_id=7", exportsForm("a")],
      ["", new FormData()],
    ] as const) {
      const response = await post(query, form);
      expect([response.status, await response.json()]).toEqual([
        404,
        { message: "Cannot find any matching documents to preview" },
      ]);
    }
    expect((await post("?project_id=x", exportsForm("a"))).status).toBe(422);
  });
});

function withoutStyles(html: string): string {
  return html.replace(/ style="[^"]*"/g, "");
}
