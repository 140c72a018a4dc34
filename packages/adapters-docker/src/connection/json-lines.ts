/** Longer lines are no events. */
const LONGEST_LINE = 4 * 1024 * 1024;

/**
 * The JSON values of a stream that holds one a line. An engine sends several in a chunk, and parts of one, cut even
 * within a character. Lines that are no JSON are left out. API 1.52 may send `json-seq`, where each is led by U+001E.
 */
export async function* jsonLines(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<unknown, void, undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LONGEST_LINE) throw new Error(`a line is longer than ${LONGEST_LINE} characters`);
    for (const line of lines) yield* parsed(line);
  }
  yield* parsed(rest + decoder.decode());
}

function* parsed(line: string): Generator<unknown, void, undefined> {
  const text = line.startsWith("\u001e") ? line.slice(1) : line;
  if (text.trim() === "") return;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return;
  }
  yield value;
}
