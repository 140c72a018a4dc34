import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, json, jsonLinesType, Refusal } from "../http/answer.ts";
import { lineSchema } from "../http/parse.ts";
import { QueryReader } from "../http/query.ts";
import type { EventChannel, EventHub } from "../streaming/event-hub.ts";
import { LineTooLong, linesOf } from "../streaming/lines.ts";
import { eventStream } from "./generate-routes.ts";
import { annotate, type InfoRoute, type StreamRequest, type StreamRoute } from "./model.ts";

export interface StreamTimes {
  /** How long a listener hears nothing before it is left, or hears a sign of life. Default 300000, as in CMS. */
  sseIdleMs: number;
  /** How long texts wait for the listener to whom their events go. Default 1000, as in CMS. */
  sseConnectMs: number;
}

/** `/stream/process`: the lines are answered while more of them come in. */
export const processStream: StreamRoute = (request) => ({
  status: 200,
  contentType: jsonLinesType,
  body: annotationLines(request),
});

async function* annotationLines(request: StreamRequest): AsyncGenerator<string> {
  const { model, route, signal } = request;
  let count = 0;
  for await (const line of read(request)) {
    const item = parseItem(line, String(count));
    count += 1;
    if ("error" in item) {
      yield `${JSON.stringify(item)}\n`;
      continue;
    }
    request.onText(item.text);
    const { annotations } = await annotate(model.engine, item.text, signal);
    model.metrics.annotated(route, annotations.length);
    for (const each of annotations) yield `${JSON.stringify({ doc_name: item.name, ...each })}\n`;
  }
  if (count === 0) yield '{"error": "Empty stream"}\n';
}

/** The lines of a request; one that is too long is the last. */
async function* read({ incoming }: StreamRequest): AsyncGenerator<string | LineTooLong> {
  try {
    yield* linesOf(incoming);
  } catch (error) {
    if (!(error instanceof LineTooLong)) throw error;
    yield error;
  }
}

type Item = { text: string; name: string } | { error: string; content?: string };

function parseItem(line: string | LineTooLong, defaultName: string): Item {
  if (line instanceof LineTooLong) return { error: line.message };
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { error: "Invalid JSON Line", content: line };
  }
  const { text, name, ...others } = (typeof value === "object" && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  const isNamed = name === undefined || name === null || typeof name === "string";
  if (typeof text === "string" && isNamed && Object.keys(others).length === 0) {
    return { text, name: name ?? defaultName };
  }
  const schema = JSON.stringify(lineSchema);
  return { error: `Invalid JSON properties found. The schema should be ${schema}`, content: line };
}

/** `/stream/sse/events`: what comes of the texts that are sent under the same `client_id`. */
export function eventsRoute(hub: EventHub, { sseIdleMs }: StreamTimes): InfoRoute {
  return {
    method: "GET",
    isOpen: true,
    answer: (_, query, { signal, stop }) => {
      const reader = new QueryReader(query);
      const clientId = reader.requiredText("client_id");
      const keepsAlive = reader.flag("keep_alive");
      reader.check();
      const headers = { "cache-control": "no-cache", "x-accel-buffering": "no" };
      const channel = hub.open(clientId);
      const close = (): void => {
        hub.close(clientId, channel);
        stop.removeEventListener("abort", close);
      };
      signal.addEventListener("abort", close, { once: true });
      stop.addEventListener("abort", close);
      return { ...eventStream(events(channel, sseIdleMs, keepsAlive, close)), headers };
    },
  };
}

async function* events(
  channel: EventChannel,
  idleMs: number,
  keepsAlive: boolean,
  close: () => void,
): AsyncGenerator<string> {
  try {
    yield ": connected\n\n";
    while (!channel.isClosed) {
      const next = await channel.next(idleMs);
      if (next) yield `data: ${JSON.stringify(next.event)}\n\n`;
      else if (!keepsAlive) return;
      else if (!channel.isClosed) yield ": keepalive\n\n";
    }
  } finally {
    close();
  }
}

/** `/stream/sse/process`: answers when all events of its texts are with the listener. */
export function eventTextsRoute(hub: EventHub, { sseConnectMs }: StreamTimes): StreamRoute {
  return async (request): Promise<Answer> => {
    const reader = new QueryReader(request.query);
    const clientId = reader.requiredText("client_id");
    reader.check();
    const channel = await listenerOf(hub, clientId, sseConnectMs);
    let total = 0;
    for await (const line of read(request)) {
      const item = parseItem(line, `doc_${total}`);
      total += 1;
      if ("error" in item) await channel.put({ status: "error", ...item });
      else await annotateFor(channel, request, item);
    }
    await channel.put({ status: "all_completed", total_docs: total });
    return json(202, { status: "accepted", total_docs: total });
  };
}

async function annotateFor(
  channel: EventChannel,
  { model, route, signal, onText }: StreamRequest,
  { text, name }: { text: string; name: string },
): Promise<void> {
  onText(text);
  await channel.put({ status: "started", doc_name: name, text });
  const { annotations } = await annotate(model.engine, text, signal);
  model.metrics.annotated(route, annotations.length);
  for (const each of annotations) {
    await channel.put({ type: "annotation", data: { doc_name: name, ...each } });
  }
  await channel.put({ status: "completed", doc_name: name });
}

async function listenerOf(hub: EventHub, clientId: string, waitMs: number): Promise<EventChannel> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const channel = hub.find(clientId);
    if (channel) return channel;
    if (performance.now() >= deadline) {
      const detail = "Client not connected. Please establish SSE connection first.";
      throw new Refusal(json(400, { detail }));
    }
    await sleep(Math.min(100, waitMs));
  }
}

/** What a browser sees of the WebSocket's address. */
export const webSocketInfoRoute: InfoRoute = {
  method: "GET",
  answer: () =>
    json(200, {
      message: "WebSocket endpoint for real-time NER entity extraction",
      example: 'new WebSocket("ws://localhost:8001/stream/ws").send("Dr. Keller saw John Smith.")',
      protocol: "WebSocket",
    }),
};
