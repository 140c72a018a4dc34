import { type Gateway, GatewayError, type TaskRecord } from "@modelgate/core";
import { problem } from "../answers.ts";
import { readRange, type WholeRange } from "../byte-range.ts";
import type { RequestView, ResponseView } from "../exchange.ts";
import { resultAnswer, resultName } from "./result-answer.ts";

/** The result as a download; `undefined` as long as there is none. */
export async function downloadAnswer(
  gateway: Gateway,
  request: RequestView,
  id: string,
): Promise<ResponseView | undefined> {
  const rangeHeader = request.method === "HEAD" ? undefined : request.header("range");
  const noneMatch = request.header("if-none-match");
  try {
    if (rangeHeader === undefined && noneMatch === undefined) return await wholeAnswer(gateway, id);
    // A condition is judged before anything is opened. What is read here stays true: an ended task never changes.
    const task = await gateway.get(id);
    const { result } = task;
    if (result === undefined || result.isForgotten === true) return await wholeAnswer(gateway, id);
    if (noneMatch !== undefined && matches(noneMatch, entityTag(task))) {
      return { status: 304, headers: { etag: entityTag(task) }, body: "" };
    }
    const ifRange = request.header("if-range");
    if (rangeHeader === undefined || (ifRange !== undefined && ifRange.trim() !== entityTag(task))) {
      return await wholeAnswer(gateway, id);
    }
    const range = readRange(rangeHeader, result.sizeBytes);
    if (range === "unsatisfiable") return rangeRefused(result.sizeBytes);
    return range === undefined ? await wholeAnswer(gateway, id) : await partAnswer(gateway, id, range);
  } catch (error) {
    if (GatewayError.is(error, "TASK_NOT_ENDED") || GatewayError.is(error, "NO_RESULT")) return undefined;
    throw error;
  }
}

async function wholeAnswer(gateway: Gateway, id: string): Promise<ResponseView> {
  const result = await gateway.result(id);
  const answer = resultAnswer(result, 200, `attachment; filename=${resultName(id)}`);
  return { ...answer, headers: { ...answer.headers, ...downloadHeaders(result.task) } };
}

async function partAnswer(gateway: Gateway, id: string, range: WholeRange): Promise<ResponseView> {
  const result = await gateway.result(id, { range });
  const { headers, ...answer } = resultAnswer(result, 206, `attachment; filename=${resultName(id)}`);
  return {
    ...answer,
    headers: {
      ...headers,
      ...downloadHeaders(result.task),
      "content-range": `bytes ${range.start}-${range.end}/${result.sizeBytes}`,
    },
    sizeBytes: range.end - range.start + 1,
  };
}

function downloadHeaders(task: TaskRecord): Record<string, string> {
  return { "accept-ranges": "bytes", etag: entityTag(task) };
}

/** One attempt writes one result, once. */
function entityTag(task: TaskRecord): string {
  return `"${task.id}-${task.attempt}"`;
}

/** `If-None-Match` compares weakly. */
function matches(header: string, tag: string): boolean {
  if (header.trim() === "*") return true;
  return header.split(",").some((each) => each.trim().replace(/^W\//, "") === tag);
}

function rangeRefused(sizeBytes: number): ResponseView {
  return problem(416, `The range lies outside of the ${sizeBytes} bytes of the result.`, {
    headers: { "content-range": `bytes */${sizeBytes}`, "accept-ranges": "bytes" },
  });
}
