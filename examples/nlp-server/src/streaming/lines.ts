import { StringDecoder } from "node:string_decoder";

/** A line that does not end is not read for ever. */
const longestLine = 8 * 1024 * 1024;

/** The lines of a body while it comes in, without blank ones. Throws when one is too long. */
export async function* linesOf(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  let held = "";
  for await (const chunk of body) {
    const lines = (held + decoder.write(chunk)).split("\n");
    held = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") yield line;
    if (held.length > longestLine) throw new LineTooLong();
  }
  held += decoder.end();
  if (held.trim() !== "") yield held;
}

export class LineTooLong extends Error {
  constructor() {
    super(`A line is longer than ${longestLine} characters.`);
    this.name = "LineTooLong";
  }
}
