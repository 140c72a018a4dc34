// Gateways and schedulers as real processes on one PostgreSQL, before a model server that tells what it saw.
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Pool } from "undici";
import { forkNode, startNode } from "../lib/children.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const storage = new URL("../../packages/adapters-storage/package.json", import.meta.url);
const command = here("../../packages/http-server/bin/modelgate.js");

/**
 * `limit` is the model server's; `env` are more settings of every process. With `objects: "s3"` there is a store of S3,
 * too. Everything ends with `close`.
 */
export async function openCluster({
  gateways = 1,
  schedulers,
  limit,
  workMs,
  objects = "filesystem",
  env = {},
}) {
  const { startPostgres, startCeph } = await import("../../scripts/services/index.mjs");
  const folder = mkdtempSync(join(tmpdir(), "modelgate-cluster-"));
  const [postgres, s3] = await Promise.all([
    startPostgres({ version: 15, durable: true }),
    objects === "s3" ? startCeph() : undefined,
  ]);
  const model = forkNode(here("model.mjs"), ["--work-ms", String(workMs)]);
  const { url } = await model.next();
  const settings = {
    MODELGATE_DATA_DIR: folder,
    MODELGATE_STORE: "postgres",
    MODELGATE_POSTGRES_URL: postgres.url,
    MODELGATE_SERVERS: `nlp=${url}#limit=${limit}`,
    MODELGATE_ADMIN_KEY: "the-key-of-this-bench",
    ...(s3 === undefined ? {} : await s3Settings(s3)),
    ...env,
  };
  const processes = { gateways: [], schedulers: [] };
  const start = async (role) => {
    const isApi = role === "gateway";
    const args = [role, ...(isApi ? ["--port", "0"] : [])];
    const ready = isApi ? /listening on (\S+)/ : /is at work/;
    const process = await startNode(command, args, ready, settings, join(folder, "log"));
    processes[`${role}s`].push(process);
    return process;
  };
  for (let at = 0; at < gateways; at += 1) await start("gateway");
  for (let at = 0; at < schedulers; at += 1) await start("scheduler");
  const doors = processes.gateways.map(({ match }) => new Pool(match[1], { connections: 64 }));
  await untilModels(doors);

  return {
    postgres,
    s3,
    processes,
    doors,
    /** What the model server has seen: `nowMs` and `calls`, by its own clock. */
    async seen() {
      model.send("tell");
      return await model.next();
    },
    /** Resolves once `isEnough(calls)`; rejects after `limitMs`. */
    async until(isEnough, limitMs) {
      const untilMs = performance.now() + limitMs;
      for (;;) {
        const seen = await this.seen();
        if (isEnough(seen.calls)) return seen;
        if (performance.now() > untilMs) throw new Error(`${seen.calls.length} calls after ${limitMs} ms`);
        await sleep(100);
      }
    },
    async close() {
      await Promise.all(doors.map((door) => door.destroy()));
      const all = [...processes.gateways, ...processes.schedulers];
      await Promise.all(all.map((process) => process.stop()));
      model.kill();
      await Promise.all([postgres.close(), s3?.close()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Submits one text; gives status, headers and the body as text. */
export async function submit(door, text, headers = {}) {
  const {
    statusCode,
    headers: told,
    body,
  } = await door.request({
    method: "POST",
    path: "/models/nlp/tasks/process",
    headers: { "content-type": "text/plain", ...headers },
    body: text,
  });
  return { status: statusCode, headers: told, text: await body.text() };
}

/** Submits many, `clients` at a time, and gives their ids. */
export async function submitAll(doors, texts, clients = 32) {
  const ids = [];
  const rest = texts.entries();
  const client = async () => {
    for (const [at, text] of rest) {
      const { status, text: body } = await submit(doors[at % doors.length], text);
      if (status !== 200) throw new Error(`a submit was answered with ${status}: ${body}`);
      ids[at] = JSON.parse(body).uuid;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return ids;
}

/** The status that a task has now; `undefined` when it cannot be told. */
export async function statusOf(door, id) {
  const { statusCode, body } = await door.request({ method: "GET", path: `/tasks/${id}` });
  const text = await body.text();
  return statusCode === 200 ? JSON.parse(text).status : undefined;
}

async function s3Settings({ env }) {
  const { Client } = createRequire(storage)("minio");
  const { hostname, port } = new URL(env.S3_ENDPOINT);
  const [accessKey, secretKey] = [env.S3_ACCESS_KEY, env.S3_SECRET_KEY];
  const client = new Client({ endPoint: hostname, port: Number(port), useSSL: false, accessKey, secretKey });
  await client.makeBucket("bench", env.S3_REGION);
  return {
    MODELGATE_OBJECTS: "s3",
    MODELGATE_S3_ENDPOINT: env.S3_ENDPOINT,
    MODELGATE_S3_BUCKET: "bench",
    MODELGATE_S3_REGION: env.S3_REGION,
    MODELGATE_S3_ACCESS_KEY: accessKey,
    MODELGATE_S3_SECRET_KEY: secretKey,
  };
}

async function untilModels(doors) {
  for (const door of doors) {
    for (let tries = 0; ; tries += 1) {
      const { body } = await door.request({ method: "GET", path: "/models/" });
      if ((await body.json()).running.length === 1) break;
      if (tries > 300) throw new Error("the model server was not found");
      await sleep(50);
    }
  }
}
