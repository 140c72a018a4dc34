import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ByteStream } from "@modelgate/core";
import { journalObjectStore } from "./journal-object-store.ts";
import { prove } from "./prove.ts";
import { gatewayWith } from "./serve-tasks.ts";

const NOTES = 12;

/** Tells each line after it was found to be so; throws when it is not. */
export async function story(tell: (line: string) => void): Promise<void> {
  const { kept, leftOut, broken } = await prove();
  assert.deepEqual(broken, [], "rules that the store breaks");
  assert.ok(kept.length > leftOut.length, `${kept.length} rules were looked at`);
  tell(`The store keeps ${kept.length} rules of its contract; ${leftOut.length} do not concern it.`);

  const directory = await mkdtemp(join(tmpdir(), "journal-objects-"));
  try {
    const keys = await runTasks(directory);
    tell(`A gateway ran ${NOTES} tasks, whose ${keys.length} payloads and results lie in the store.`);
    await readAgain(directory, keys);
    tell("Opened again, the store still has every one of them.");
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Runs tasks through a gateway; resolves the keys under which their bodies are kept. */
async function runTasks(directory: string): Promise<readonly string[]> {
  const objects = journalObjectStore({ directory });
  const gateway = gatewayWith(objects);
  await gateway.start();
  const notes = Array.from({ length: NOTES }, (_, at) => `${at}: ${"a long note. ".repeat(10_000)}`);
  const submitted = await gateway.submit(
    notes.map((payload) => ({ model: "mirror", operation: "process", payload })),
  );
  for (const [at, one] of submitted.entries()) {
    if (!one.ok) throw one.error;
    const { state } = await gateway.wait(one.task.id, { timeoutMs: 30_000 });
    assert.equal(state, "succeeded");
    const { body } = await gateway.result(one.task.id);
    const isMirrored = (await textOf(body)) === [...(notes[at] ?? "")].reverse().join("");
    assert.ok(isMirrored, `the result of note ${at}`);
  }
  const { items } = await objects.list("");
  assert.equal(items.length, 2 * NOTES, "a payload and a result for each task");
  await gateway.stop();
  // The gateway was handed the store, so that it has left it open.
  assert.equal((await objects.list("")).items.length, 2 * NOTES);
  await objects.close();
  return items.map(({ key }) => key);
}

async function readAgain(directory: string, keys: readonly string[]): Promise<void> {
  const objects = journalObjectStore({ directory });
  for (const key of keys) {
    const found = await objects.get(key);
    assert.ok(found !== undefined, `${key} is gone`);
    assert.equal((await textOf(found.body)).length, found.sizeBytes, `the size of ${key}`);
  }
  await objects.close();
}

async function textOf(body: ByteStream): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return new TextDecoder().decode(Buffer.concat(pieces));
}
