import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type EngineEvent, eventsOf } from "../../src/connection/events.ts";

/**
 * A declared exception from the rule that tests use the real thing: engines newer than the one that tests run against
 * answer in other shapes. `api-1.41.json` was recorded; `api-1.52.json` is the same without the fields that API 1.52
 * has dropped, and with those that it has added, by its documentation.
 */
function recorded(version: string): { events: unknown[] } {
  return JSON.parse(readFileSync(new URL(`../recorded/api-${version}.json`, import.meta.url), "utf8"));
}

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(text: string, size: number): Promise<EngineEvent[]> {
  const events: EngineEvent[] = [];
  for await (const event of eventsOf(cut(Buffer.from(text), size))) events.push(event);
  return events;
}

describe("events", () => {
  it.each(["1.41", "1.52"])("are read as API %s writes them", async (version) => {
    const events = await read(
      recorded(version)
        .events.map((event) => JSON.stringify(event))
        .join("\n"),
      7,
    );
    expect(events.map(({ type, action, detail }) => [type, action, detail].join(" ").trim())).toEqual([
      "network connect",
      "container start",
      "container health_status healthy",
      "container kill",
      "container die",
    ]);
    const [connected, started, , killed] = events;
    expect(connected?.attributes["container"]).toBe(started?.id);
    expect(started?.attributes["com.docker.compose.service"]).toBe("medcat");
    expect(started?.atNs).toBeGreaterThan(1_700_000_000_000_000_000n);
    expect(killed?.attributes["signal"]).toBe("9");
  });

  it("survive any cut, characters of several bytes, blank lines and lines that are none", async () => {
    const line = JSON.stringify({
      Type: "container",
      Action: "start",
      Actor: { ID: "a", Attributes: { name: "é漢🙂" } },
    });
    const text = `${line}\r\n\n{"broken\nnull\n[]\n7\n\u001e${line}\n${line}`;
    for (const size of [1, 2, 3, 5, 1000]) {
      const events = await read(text, size);
      expect(events.map(({ attributes }) => attributes["name"])).toEqual(["é漢🙂", "é漢🙂", "é漢🙂"]);
    }
  });
});
