/** The `data:` of each event of a stream, as soon as it is whole. */
export async function* eventsIn(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let held = "";
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    const events = (held + chunk).split("\n\n");
    held = events.pop() ?? "";
    for (const event of events) yield event.replace(/^data: /, "");
  }
}
