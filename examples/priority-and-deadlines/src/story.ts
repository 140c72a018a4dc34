import assert from "node:assert/strict";
import { createGateway, type TaskRecord } from "@modelgate/core";
import { memoryDiscovery, memoryProtocol } from "@modelgate/core/memory";

/**
 * One server that reads one note at a time, and six notes that want to be read. What is urgent overtakes what waits,
 * what waited too long ends, and what waits can still be cancelled or moved. Rejects when anything is otherwise.
 */
export async function story(say: (line: string) => void): Promise<void> {
  const read: string[] = [];
  let finishFirst = (): void => {};
  const firstIsRead = new Promise<void>((resolve) => {
    finishFirst = resolve;
  });

  // The model is a function; a model server behind HTTP would be `cmsProtocol()` and `staticDiscovery()` instead.
  const protocol = memoryProtocol({
    operations: { read: { repeatable: true } },
    handle: async (call) => {
      const note = await call.text();
      read.push(note);
      if (note === "the first note") await firstIsRead;
      return `${note}, read`;
    },
  });
  const discovery = memoryDiscovery([
    {
      id: "reader-1",
      url: "memory:reader-1",
      models: ["reader"],
      protocol: "memory",
      state: "ready",
      limit: 1,
    },
  ]);
  const gateway = createGateway({ discovery, protocols: [protocol], pollMs: 20 });

  const ended: string[] = [];
  gateway.events.on("task:ended", ({ id, state }) => ended.push(`${names.get(id)} ${state}`));
  const started = new Promise<void>((resolve) => gateway.events.once("task:started", () => resolve()));

  const names = new Map<string, string>();
  const submit = async (note: string, priority: number, waitMs?: number): Promise<TaskRecord> => {
    const task = await gateway.submit({
      model: "reader",
      operation: "read",
      payload: note,
      priority,
      waitMs,
    });
    names.set(task.id, note);
    return task;
  };

  try {
    await gateway.start();
    await submit("the first note", 5);
    await started;
    say("The first note is being read, and the server has one slot: everything else waits.");

    const patient = await submit("a patient note", 0);
    const usual = await submit("a usual note", 5);
    const moved = await submit("a note that becomes important", 0);
    const unwanted = await submit("a note that nobody wants any more", 9);
    const urgent = await submit("an urgent note", 10);
    const impatient = await submit("a note of use for 100 ms only", 8, 100);

    const cancelled = await gateway.cancel(unwanted.id);
    assert.equal(cancelled.state, "cancelled");
    say("One is cancelled: it ends at once, since it had not started.");

    const promoted = await gateway.reprioritise(moved.id, 9);
    assert.deepEqual([promoted.state, promoted.priority], ["pending", 9]);
    say("One becomes important, and moves before all but the urgent one.");

    const late = await gateway.wait(impatient.id, { timeoutMs: 10_000 });
    assert.deepEqual([late.state, late.error?.code], ["failed", "WAIT_DEADLINE"]);
    say("One waited longer than it may, and fails with WAIT_DEADLINE; no server was asked.");

    finishFirst();
    const last = await gateway.wait(patient.id, { timeoutMs: 10_000 });
    assert.equal(last.state, "succeeded");
    assert.deepEqual(read, [
      "the first note",
      "an urgent note",
      "a note that becomes important",
      "a usual note",
      "a patient note",
    ]);
    say(`The server is free again. It reads ${read.slice(1).join(", ")}.`);

    const { bytes } = await gateway.result(urgent.id);
    assert.equal(new TextDecoder().decode(bytes), "an urgent note, read");
    assert.equal((await gateway.get(usual.id)).attempt, 1);
    assert.deepEqual(ended, [
      "a note that nobody wants any more cancelled",
      "a note of use for 100 ms only failed",
      "the first note succeeded",
      "an urgent note succeeded",
      "a note that becomes important succeeded",
      "a usual note succeeded",
      "a patient note succeeded",
    ]);
    say("The events told of every ending, once and in this order.");
  } finally {
    await gateway.stop({ drainMs: 0 });
    await Promise.all([discovery.close(), protocol.close()]);
  }
}
