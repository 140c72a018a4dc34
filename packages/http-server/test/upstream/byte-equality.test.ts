import { constants, generateKeyPairSync, privateDecrypt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SHARED_STORES } from "../command/test-stores.ts";
import { type BuiltCommand, buildCommand } from "../support/build-command.ts";
import { type Answer, call } from "../support/http-client.ts";
import { type Case, DETERMINISTIC, NOTE, TRAININGS } from "./deterministic-cases.ts";
import { type NlpServers, openWorld, startNlpServers, type World } from "./world.ts";

// What a task's result is, is what the server would have answered itself: each request goes to the server, and as a
// task to the gateway before it, and the answers are held against each other byte by byte.

/** What callers can tell of an answer. */
interface Seen {
  readonly status: number | undefined;
  readonly type: string | undefined;
  readonly disposition: string | undefined;
  readonly body: string;
}

const seen = ({ status, headers, body }: Answer): Seen => ({
  status,
  type: headers["content-type"],
  disposition: headers["content-disposition"],
  body: body.toString("latin1"),
});

let built: BuiltCommand;
let servers: NlpServers;

beforeAll(async () => {
  [built, servers] = await Promise.all([buildCommand(), startNlpServers({ metacat: true })]);
}, 60_000);
afterAll(() => Promise.all([servers?.close(), built?.remove()]));

describe.each(SHARED_STORES.filter(({ isThere }) => isThere))("results on $name", ({ name: store, make }) => {
  let world: World;

  beforeAll(async () => {
    world = await openWorld({
      ...{ file: built.file, store: await make(), servers: { notes: servers.notes, pupil: servers.pupil } },
      // On one of them nothing is inline, so that every payload and every result is an object.
      settings: { inlineBytes: store.includes("S3") ? 0 : 1_024 },
    });
  }, 60_000);
  afterAll(() => world?.close());

  const target = (path: string, { query }: Pick<Case, "query">): string =>
    query === undefined ? path : `${path}?${query}`;

  function submit(model: string, task: string, sent: Omit<Case, "name">, wait?: number): Promise<Answer> {
    return call(world.url, target(`/models/${model}/tasks/${task}`, sent), {
      method: "POST",
      headers: { "content-type": sent.contentType, ...(wait !== undefined && { prefer: `wait=${wait}` }) },
      body: sent.body,
    });
  }

  async function ended(id: string): Promise<Answer["json"]> {
    for (const untilMs = performance.now() + 20_000; ; await sleep(20)) {
      const { json } = await call(world.url, `/tasks/${id}?detail=true`);
      if (json.status === "succeeded" || json.status === "failed") return json;
      if (performance.now() > untilMs) throw new Error(`the task is ${json.status}`);
    }
  }

  /** The answer of the server, of the gateway to whoever waits, and of a download later. */
  async function threeWays(task: string, sent: Case, method = "POST") {
    const [direct, waited, accepted] = await Promise.all([
      call(servers.notes, target(`/${task}`, sent), {
        method,
        ...(method === "POST" && { headers: { "content-type": sent.contentType }, body: sent.body }),
      }),
      submit("notes", task, sent, 20),
      submit("notes", task, sent),
    ]);
    expect(accepted.status, `${sent.name}: ${accepted.text}`).toBe(200);
    const { uuid } = accepted.json;
    const details = await ended(uuid);
    const download = await call(world.url, `/tasks/${uuid}?download=true`);
    return { direct, waited, download, details, uuid };
  }

  it.each(DETERMINISTIC)("$task", async ({ task, method, cases }) => {
    await Promise.all(
      cases.map(async (sent) => {
        const { direct, waited, download, details, uuid } = await threeWays(task, sent, method);
        const wanted = seen(direct);
        expect.soft({ name: sent.name, ...seen(waited) }).toEqual({ name: sent.name, ...wanted });
        const isGood = direct.status < 400;
        expect.soft({ name: sent.name, ...seen(download) }).toEqual({
          ...{ name: sent.name, status: 200, type: wanted.type, body: wanted.body },
          disposition: `attachment; filename=${uuid}_results.json`,
        });
        expect.soft([sent.name, details.status]).toEqual([sent.name, isGood ? "succeeded" : "failed"]);
        expect
          .soft([sent.name, download.headers["x-server-status"]])
          .toEqual([sent.name, `${direct.status}`]);
      }),
    );
  });

  it("redact_with_encryption, after it was decrypted", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
    const body = JSON.stringify({
      text: NOTE,
      public_key_pem: publicKey.export({ type: "spki", format: "pem" }),
    });
    for (const contentType of ["application/json", "text/plain"]) {
      const sent = { name: contentType, contentType, body };
      const { direct, waited, download } = await threeWays("redact_with_encryption", sent);
      expect([waited, download].map(({ headers }) => headers["content-type"])).toEqual([
        direct.headers["content-type"],
        direct.headers["content-type"],
      ]);
      if (direct.status >= 400) {
        // As a text it is for the server to refuse.
        expect([waited.text, download.text]).toEqual([direct.text, direct.text]);
        continue;
      }
      const [own, ...others] = [direct, waited, download].map(({ json }) => {
        const { redacted_text, encryptions, ...rest } = json as {
          redacted_text: string;
          encryptions: readonly { label: string; encryption: string }[];
        };
        const open = (encryption: string): string =>
          privateDecrypt(
            { key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" },
            Buffer.from(encryption, "base64"),
          ).toString();
        const opened = encryptions.map(({ label, encryption }) => ({ label, text: open(encryption) }));
        return { redacted_text, opened, rest };
      });
      expect(own?.opened.map(({ text }) => text)).toContain("John Smith");
      for (const other of others) expect(other).toEqual(own);
    }
  });

  it.each(TRAININGS)("$task, by its document", async ({ task, ...sent }) => {
    const accepted = await submit("pupil", task, sent);
    expect(accepted.status, accepted.text).toBe(200);
    const { uuid } = accepted.json;
    const details = await ended(uuid);
    expect(details).toMatchObject({ status: "succeeded", error_message: null, type: task });
    const download = await call(world.url, `/tasks/${uuid}?download=true`);
    expect(download.headers["content-type"]).toMatch(/^application\/json/);
    const [run, ...others] = (await call(servers.pupil, `/train_eval_info?train_eval_id=${uuid}`)).json;
    expect(others).toEqual([]);
    expect(Object.keys(download.json).sort()).toEqual(
      ["artifacts", "error", "metrics", "params", "run", "tags", "timing"].sort(),
    );
    expect(download.json).toMatchObject({
      run: {
        ...{ run_id: run.run_id, run_name: uuid, experiment_id: run.experiment_id },
        ...{ status: "FINISHED", lifecycle_stage: "active" },
      },
      timing: { duration_seconds: expect.any(Number) },
      tags: run.tags,
      artifacts: { artifact_uri: run.artifact_uri },
      error: null,
    });
    expect(run.run_id).toBe(details.tracking_id);
    const { started_at, finished_at } = download.json.timing;
    expect([Date.parse(started_at), Date.parse(finished_at)]).toEqual([run.start_time, run.end_time]);
  });
});
