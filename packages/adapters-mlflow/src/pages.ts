import { type JsonRecord, recordsOf, textOf } from "./json-fields.ts";
import type { RestClient, RestRequest } from "./rest-client.ts";

/** What is listed in the field `list` of an answer and of the pages after it; nothing where nothing is there. */
export async function* pagesOf(
  client: RestClient,
  list: string,
  request: RestRequest,
): AsyncGenerator<JsonRecord> {
  let token: string | undefined;
  do {
    const answer = await client.json(token === undefined ? request : withToken(request, token));
    if (answer === undefined) return;
    yield* recordsOf(answer[list]);
    const next = textOf(answer["next_page_token"]);
    // One that leads to itself would never end.
    token = next === token ? undefined : next;
  } while (token !== undefined);
}

function withToken(request: RestRequest, token: string): RestRequest {
  const { body, query } = request;
  if (body !== undefined) return { ...request, body: { ...body, page_token: token } };
  return { ...request, query: { ...query, page_token: token } };
}
