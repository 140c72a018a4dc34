import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ByteStream } from "@modelgate/core";
import { expect, it, onTestFinished } from "vitest";
import { journalObjectStore } from "../src/journal-object-store.ts";

// What must hold of every object store is in the contract kit; this is what a journal has of its own.

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "journal-objects-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function* bodyOf(text: string): ByteStream {
  yield new TextEncoder().encode(text);
}

it("a directory is open once at a time, and free again after close or a crash", async () => {
  const directory = await newDirectory();
  const first = journalObjectStore({ directory });
  await first.list("");
  const second = journalObjectStore({ directory });
  await expect(second.list("")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  await first.close();
  expect((await second.list("")).items).toEqual([]);
  await second.close();
  // No process has so high a number.
  await writeFile(join(directory, "lock"), "4194305");
  const third = journalObjectStore({ directory });
  await third.list("");
  await third.close();
  await writeFile(join(directory, "lock"), String(process.ppid));
  const fourth = journalObjectStore({ directory });
  await expect(fourth.list("")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  await fourth.close();
});

it("half a line and bodies without a line are what a crash leaves, and go at the next opening", async () => {
  const directory = await newDirectory();
  const first = journalObjectStore({ directory });
  await first.put("kept", bodyOf("kept"));
  await first.put("gone", bodyOf("gone"));
  await first.delete(["gone"]);
  await first.close();
  const journal = await readFile(join(directory, "journal"), "utf8");
  expect(journal.split("\n")).toHaveLength(4);
  await writeFile(join(directory, "journal"), `${journal}{"put":"half","ent`);
  await writeFile(join(directory, "bodies", "without-a-line"), "x");
  const again = journalObjectStore({ directory });
  expect((await again.list("")).items.map(({ key }) => key)).toEqual(["kept"]);
  await again.close();
  expect(await readdir(join(directory, "bodies"))).toHaveLength(1);
  expect((await readFile(join(directory, "journal"), "utf8")).split("\n")).toHaveLength(2);
});

it("objects that many replace at once leave one body each", async () => {
  const directory = await newDirectory();
  const store = journalObjectStore({ directory });
  await Promise.all(Array.from({ length: 20 }, (_, at) => store.put(`k${at % 2}`, bodyOf(`body ${at}`))));
  expect(await readdir(join(directory, "bodies"))).toHaveLength(2);
  await store.close();
});

it("an object whose body somebody has removed is an error, not a wait", async () => {
  const directory = await newDirectory();
  const store = journalObjectStore({ directory });
  await store.put("k", bodyOf("x"));
  for (const file of await readdir(join(directory, "bodies"))) await rm(join(directory, "bodies", file));
  await expect(store.get("k")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  await store.close();
});

it("a line that could not be written spoils none that follows", async () => {
  const directory = await newDirectory();
  const store = journalObjectStore({ directory });
  await store.put("first", bodyOf("x"));
  await appendFile(join(directory, "journal"), '{"put":"half a line of a write that fai');
  await store.put("second", bodyOf("x"));
  await store.close();
  const again = journalObjectStore({ directory });
  expect((await again.list("")).items.map(({ key }) => key)).toEqual(["first", "second"]);
  await again.close();
});
