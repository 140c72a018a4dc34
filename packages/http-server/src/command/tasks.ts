import { connect } from "./client/connect.ts";
import type { GatewayClient } from "./client/gateway-client.ts";
import { ageMs, ranMs, readTask, type TaskView } from "./client/task-view.ts";
import type { Call, Options } from "./command-spec.ts";
import { EXIT } from "./exit-codes.ts";
import { durationText } from "./output/duration-text.ts";
import { endWithReader, tell, writeJson, writeOut } from "./output/out.ts";
import { columnWidths, formatTable } from "./output/table.ts";
import { requireEachOf, requireNumber } from "./require-option.ts";
import { UsageError } from "./usage-error.ts";

const STATES = ["pending", "scheduled", "running", "succeeded", "failed", "cancelled"];
const DEFAULT_LIMIT = 20;
const PAGE = 100;
const HEADER = ["ID", "STATUS", "MODEL", "TASK", "PRIORITY", "AGE", "RAN", "SERVER"];

interface TaskPage {
  readonly tasks: readonly TaskView[];
  readonly next_cursor?: string | null;
}

export async function tasks({ arguments: [id], options, settings }: Call): Promise<number> {
  endWithReader();
  if (id !== undefined) {
    const filter = ["status", "model", "type", "limit", "all"].find((name) => options.has(name));
    if (filter !== undefined)
      throw new UsageError(`--${filter} is for a list; leave it out, or leave out the ID.`);
    await showTask(await connect(settings), id, options.has("json"));
    return EXIT.ok;
  }
  const query = queryOf(options);
  const limit = requireNumber(options, "limit", 1, Number.MAX_SAFE_INTEGER) ?? DEFAULT_LIMIT;
  if (options.has("all") && options.has("limit")) throw new UsageError("Give --limit or --all, not both.");
  const pages = readPages(
    await connect(settings),
    query,
    options.has("all") ? Number.POSITIVE_INFINITY : limit,
  );
  await (options.has("json") ? writeList(pages) : writeTable(pages));
  return EXIT.ok;
}

function queryOf(options: Options): URLSearchParams {
  const query = new URLSearchParams();
  for (const state of requireEachOf(options, "status", STATES)) query.append("status", state);
  for (const name of ["model", "type"]) {
    const value = options.get(name);
    if (value !== undefined) query.set(name, value);
  }
  return query;
}

async function* readPages(
  client: GatewayClient,
  query: URLSearchParams,
  limit: number,
): AsyncGenerator<TaskPage> {
  let rest = limit;
  let cursor: string | null | undefined;
  do {
    const asked = new URLSearchParams(query);
    asked.set("limit", String(Math.min(rest, PAGE)));
    if (cursor) asked.set("cursor", cursor);
    const page = await client.json<TaskPage>({ path: `/tasks/?${asked}` });
    yield page;
    cursor = page.next_cursor;
    rest -= page.tasks.length;
  } while (cursor && rest > 0);
}

/** Page by page, so that a long list begins at once and is never held whole. */
async function writeTable(pages: AsyncIterable<TaskPage>): Promise<void> {
  let widths = columnWidths([HEADER]);
  let hasBegun = false;
  let hasMore = false;
  for await (const page of pages) {
    const rows = page.tasks.map((task) => rowOf(task, Date.now()));
    if (rows.length > 0) {
      widths = columnWidths(rows, widths);
      await writeOut(formatTable(hasBegun ? rows : [HEADER, ...rows], widths));
      hasBegun = true;
    }
    hasMore = Boolean(page.next_cursor);
  }
  if (!hasBegun) tell("There are no such tasks.");
  else if (hasMore) tell("There are more: --limit N shows more of them, --all shows all.");
}

async function writeList(pages: AsyncIterable<TaskPage>): Promise<void> {
  let separator = '{"tasks":[';
  let cursor: string | null = null;
  for await (const page of pages) {
    for (const task of page.tasks) {
      await writeOut(`${separator}\n${JSON.stringify(task)}`);
      separator = ",";
    }
    cursor = page.next_cursor ?? null;
  }
  const begun = separator === "," ? "" : separator;
  await writeOut(`${begun}\n],"next_cursor":${JSON.stringify(cursor)}}\n`);
}

function rowOf(task: TaskView, nowMs: number): string[] {
  const age = ageMs(task, nowMs);
  const ran = ranMs(task, nowMs);
  return [
    task.uuid,
    task.status,
    task.model ?? "-",
    task.type ?? "-",
    task.priority === null || task.priority === undefined ? "-" : String(task.priority),
    age === undefined ? "-" : durationText(age),
    ran === undefined ? "-" : durationText(ran),
    task.server ?? "-",
  ];
}

async function showTask(client: GatewayClient, id: string, asJson: boolean): Promise<void> {
  const task = await readTask(client, id);
  if (asJson) return writeJson(task);
  const fields = Object.entries(task).map(([name, value]: [string, unknown]) => [name, textOf(value)]);
  const ran = ranMs(task, Date.now());
  await writeOut(formatTable([...fields, ["ran", ran === undefined ? "-" : durationText(ran)]]));
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "-";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
