import { randomBytes } from "node:crypto";
import { openSync, writeSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Runs } from "../../../../examples/nlp-server/src/runs/runs.ts";
import { answerTo, digestOf } from "./model-answers.ts";

/** A line of a model server's own account, written before whatever it tells of can be seen from outside. */
export type ServerNote = { readonly atMs: number } & (
  | {
      readonly kind: "begun";
      readonly execution: string;
      /** Of the client's making, and in the query of every task. */
      readonly nonce: string;
      /** Only trainings and evaluations are sent with the task's id. */
      readonly trackingId?: string | undefined;
      readonly by: string;
      readonly digest: string;
      readonly background: boolean;
      readonly inFlight: number;
    }
  | {
      readonly kind: "finished";
      readonly execution: string;
      readonly how: "done" | "failed" | "killed";
      readonly digest?: string | undefined;
    }
  | { readonly kind: "refused"; readonly nonce: string }
  | { readonly kind: "dies" }
);

type Untimed<N> = N extends unknown ? Omit<N, "atMs"> : never;

export interface ModelServerOptions {
  readonly port: number;
  /** Named in every answer, so that another incarnation can be told. */
  readonly instance: string;
  /** Where the notes go; lines are added. */
  readonly notes: string;
  /** Calls at once; the next is told that the server is busy. */
  readonly capacity: number;
}

/**
 * A model server that speaks as much of CogStack ModelServe as a chaos run asks for and keeps an account of what it
 * was sent and what it answered. The account is written call by call, so that `kill -9` takes nothing of it.
 */
export async function serveModel({ port, instance, notes, capacity }: ModelServerOptions): Promise<void> {
  const file = openSync(notes, "a");
  const note = (what: Untimed<ServerNote>): void => {
    writeSync(file, `${JSON.stringify({ atMs: Date.now(), ...what })}\n`);
  };
  const runs = new Runs();
  let inFlight = 0;
  let executions = 0;
  let diesAnswering = false;

  const send = (response: ServerResponse, status: number, body: Buffer | string, type: string): void => {
    const bytes = Buffer.from(body);
    const headers = { "content-type": type, "content-length": bytes.byteLength, "x-instance-id": instance };
    response.writeHead(status, headers).end(bytes);
  };
  const sendHalfAndDie = (response: ServerResponse, body: Buffer): void => {
    note({ kind: "dies" });
    response.writeHead(200, { "content-length": body.byteLength });
    const half = body.subarray(0, Math.ceil(body.byteLength / 2));
    response.write(half, () => process.kill(process.pid, "SIGKILL"));
  };
  const json = (response: ServerResponse, status: number, value: unknown): void =>
    send(response, status, JSON.stringify(value), "application/json");

  const work = async (request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> => {
    const operation = url.pathname.slice(1);
    const nonce = url.searchParams.get("chaos") ?? "none";
    const workMs = Number(url.searchParams.get("ms") ?? 0);
    const body = await readBody(request);
    if (inFlight >= capacity) {
      note({ kind: "refused", nonce });
      response.setHeader("retry-after", "1");
      return json(response, 503, { message: "busy" });
    }
    inFlight += 1;
    executions += 1;
    const execution = `${instance}/${executions}`;
    const trackingId = url.searchParams.get("tracking_id") ?? undefined;
    const by = Buffer.from(request.headers.authorization?.slice(6) ?? "", "base64").toString();
    const begun = {
      kind: "begun",
      execution,
      nonce,
      by: by.split(":")[0] ?? "",
      digest: digestOf(body),
    } as const;
    try {
      if (operation === "process" || operation === "redact") {
        note({ ...begun, background: false, inFlight });
        const hangUp = new AbortController();
        response.once("close", () => hangUp.abort());
        await sleep(workMs, undefined, { signal: hangUp.signal }).catch(() => {});
        if (hangUp.signal.aborted) return note({ kind: "finished", execution, how: "killed" });
        const answer = answerTo(operation, body);
        note({ kind: "finished", execution, how: "done", digest: digestOf(answer) });
        if (diesAnswering) return sendHalfAndDie(response, answer);
        return send(response, 200, answer, "text/plain");
      }
      const run = await runs.begin({
        trackingId: trackingId ?? randomBytes(8).toString("hex"),
        trainer: "supervised",
        experiment: operation,
        tags: {},
        work: async (_log, signal) => {
          note({ ...begun, trackingId, background: true, inFlight });
          const outcome = await sleep(workMs, "done" as const, { signal }).catch(() => "killed" as const);
          note({ kind: "finished", execution, how: outcome });
          signal.throwIfAborted();
          return undefined;
        },
      });
      if (!run.accepted) note({ kind: "refused", nonce });
      return json(response, run.accepted ? 202 : 503, { message: operation, ...run.ids });
    } finally {
      inFlight -= 1;
    }
  };

  const server = createServer({ keepAliveTimeout: 30_000, requestTimeout: 0 }, (request, response) => {
    const url = new URL(request.url ?? "/", "http://model");
    const trackingId = url.searchParams.get("train_eval_id") ?? "";
    switch (url.pathname) {
      case "/process":
      case "/redact":
      case "/train_supervised":
      case "/evaluate":
        // A caller that hangs up in the middle of its request has sent nothing that could be worked on.
        work(request, response, url).catch(() => response.destroy());
        break;
      case "/train_eval_info": {
        runs.book.find(trackingId).then(
          (found) => json(response, found.length > 0 ? 200 : 404, found),
          () => response.destroy(),
        );
        break;
      }
      case "/cancel_training":
        json(response, runs.cancel() ? 202 : 400, { message: "cancel" });
        break;
      case "/die-answering":
        diesAnswering = true;
        response.writeHead(204).end();
        break;
      default:
        send(response, url.pathname === "/readyz" ? 200 : 404, "chaos", "text/plain");
    }
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  process.stdin.once("end", () => process.exit(0)).resume();
  process.stdout.write("listening\n");
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
