// Drives a gateway that speaks the API of CogStack's gateway, whoever made it, as that one's own client does: submit, ask
// for the details until the end, download the result and look at it. A task counts once its result is here.
//   burst:  `clients` submitters send `tasks` as fast as they are taken, and 8 watchers follow the oldest that has not ended.
//   closed: each client submits, waits for the end, downloads, and only then submits the next.

import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "undici";

const WATCHERS = 8;
const PATIENCE_MS = 120_000;
const NOTE = "Patient with kidney failure and diabetes. ";
const REST = "The remainder of this letter is not clinical. ";

/** @param {{ url: string, model: string, tasks: number, clients: number, mode: "burst" | "closed", pollMs: number, bytes?: number }} wish */
export async function load({ url, model, tasks, clients, mode, pollMs, bytes = 400 }) {
  const pool = new Pool(url, { connections: clients + WATCHERS, pipelining: 1, keepAliveTimeout: 2_000 });
  const text = (NOTE + REST.repeat(Math.ceil(bytes / REST.length))).slice(0, bytes);
  const submitMs = [];
  const completeMs = [];
  const open = [];
  let sent = 0;
  let isSubmitting = true;

  /** A connection that the server has just given up tells nothing of the server. */
  const call = async (method, path, body) => {
    for (let tries = 1; ; tries += 1) {
      try {
        const headers = body === undefined ? {} : { "content-type": "text/plain" };
        const answer = await pool.request({ method, path, headers, body });
        const content = await answer.body.text();
        if (answer.statusCode !== 200)
          throw new Error(`${method} ${path}: ${answer.statusCode} ${content.slice(0, 200)}`);
        return JSON.parse(content);
      } catch (error) {
        if (error.code !== "UND_ERR_SOCKET" || tries > 3) throw error;
      }
    }
  };
  const submit = async () => {
    const atMs = performance.now();
    const { uuid } = await call("POST", `/models/${model}/tasks/process`, text);
    submitMs.push(performance.now() - atMs);
    return { uuid, atMs };
  };
  const finish = async ({ uuid, atMs }) => {
    for (;;) {
      const { status, error_message: why } = await call("GET", `/tasks/${uuid}?detail=true&download=false`);
      if (status === "failed") throw new Error(`task ${uuid} failed: ${why}`);
      if (status === "succeeded") break;
      if (performance.now() - atMs > PATIENCE_MS) throw new Error(`task ${uuid} is ${status}`);
      await sleep(pollMs);
    }
    const { annotations } = await call("GET", `/tasks/${uuid}?detail=false&download=true`);
    if (annotations?.[0]?.label_id !== "C0022660") throw new Error(`task ${uuid} has a wrong result`);
    completeMs.push(performance.now() - atMs);
  };
  const submitter = async () => {
    while (sent < tasks) {
      sent += 1;
      const task = await submit();
      if (mode === "closed") await finish(task);
      else open.push(task);
    }
  };
  const watcher = async () => {
    while (isSubmitting || open.length > 0) {
      const task = open.shift();
      if (task === undefined) await sleep(1);
      else await finish(task);
    }
  };

  const startMs = performance.now();
  const watchers = mode === "burst" ? Array.from({ length: WATCHERS }, watcher) : [];
  await Promise.all(Array.from({ length: clients }, submitter));
  isSubmitting = false;
  await Promise.all(watchers);
  const seconds = (performance.now() - startMs) / 1000;
  await pool.close();
  return {
    perSecond: completeMs.length / seconds,
    submitMs: median(submitMs),
    completeMs: median(completeMs),
  };
}

function median(values) {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
