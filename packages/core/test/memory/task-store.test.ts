import { describe, expect, it } from "vitest";
import type { Grant, Settlement } from "../../src/contracts/ledger.ts";
import type { ApplyReply, ApplyRequest, Claim, ClaimOutcome } from "../../src/contracts/task-store.ts";
import { memoryTaskStore } from "../../src/memory/task-store.ts";
import { ManualClock } from "../discovery/manual-clock.ts";
import { LEASE_MS, newTask, returned, succeeded } from "../support/tasks.ts";

function open() {
  const clock = new ManualClock();
  const store = memoryTaskStore({ clock, random: () => 0.5 });
  let sequence = 0;
  const request = (parts: Partial<ApplyRequest> = {}): ApplyRequest => ({
    ...{ runner: "r", incarnation: "one", sequence, acknowledged: sequence, leaseMs: LEASE_MS },
    ...{ settle: [], renew: [], recover: 0, release: [], servers: ["s"] },
    ...parts,
  });
  const apply = (parts: Partial<ApplyRequest> = {}): Promise<ApplyReply> => {
    sequence += 1;
    return store.apply(request({ acknowledged: sequence - 1, ...parts }));
  };
  const claim = (...claims: Claim[]): Promise<readonly ClaimOutcome[]> => {
    return store.claim({ runner: "r", incarnation: "one", sequence, leaseMs: LEASE_MS, claims });
  };
  const grant = async (id: string): Promise<Grant> => {
    const [outcome] = await claim(claimOf(id));
    if (outcome?.outcome !== "granted") throw new Error(`${id} was not granted`);
    return outcome.grant;
  };
  return { clock, store, request, apply, claim, grant };
}

function claimOf(id: string, ...servers: [string, number][]): Claim {
  return {
    id,
    servers: (servers.length > 0 ? servers : [["s", 9] as const]).map(([server, limit]) => ({
      server,
      limit,
    })),
  };
}

const kinds = (outcomes: readonly ClaimOutcome[]): string[] => {
  return outcomes.map((item) => (item.outcome === "granted" ? `granted ${item.grant.server}` : item.outcome));
};
const ids = (reply: ApplyReply): string[] => reply.returned.map(({ id }) => id);

describe("claim", () => {
  it("takes the first server with room, and says why when there is none", async () => {
    const { store, apply, claim } = open();
    await store.insert(["a", "b", "c", "d"].map((id) => newTask(id)));
    await apply();
    const outcomes = await claim(
      claimOf("a", ["s", 1], ["t", 1]),
      claimOf("b", ["s", 1], ["t", 1]),
      claimOf("c", ["s", 1], ["t", 1]),
      claimOf("a", ["u", 9]),
      claimOf("nobody"),
    );
    expect(kinds(outcomes)).toEqual(["granted s", "granted t", "full", "gone", "gone"]);
  });

  it("gives background work the hold and ignores the slots", async () => {
    const { store, apply, claim } = open();
    await store.insert([newTask("f"), ...["b1", "b2"].map((id) => newTask(id, { background: true }))]);
    await apply();
    const outcomes = await claim(
      claimOf("f", ["s", 1]),
      claimOf("b1", ["s", 1]),
      claimOf("b2", ["s", 1], ["t", 1]),
    );
    expect(kinds(outcomes)).toEqual(["granted s", "granted s", "granted t"]);
    expect(await apply()).toMatchObject({ used: { s: 1 }, held: ["s"] });
  });

  it("leaves a task to its back-off", async () => {
    const { clock, store, apply, claim, grant } = open();
    await store.insert([newTask("a")]);
    await apply();
    const granted = await grant("a");
    await apply({ settle: [returned(granted, { delayMs: 300 })] });
    await clock.advance(100);
    expect(await claim(claimOf("a"))).toEqual([{ outcome: "not_yet", delayMs: 200 }]);
    await clock.advance(200);
    expect(kinds(await claim(claimOf("a")))).toEqual(["granted s"]);
  });

  it("belongs to the open sequence, whose repetition tells what was claimed", async () => {
    const { store, request, apply, claim, grant } = open();
    await store.insert([newTask("a"), newTask("b")]);
    await apply();
    const granted = await grant("a");
    expect(await store.apply(request())).toMatchObject({ repeated: true, grants: [granted] });
    const stale = { runner: "r", incarnation: "one", sequence: 0, leaseMs: LEASE_MS, claims: [claimOf("b")] };
    await expect(store.claim(stale)).rejects.toMatchObject({ code: "STALE_RUNNER" });
    await expect(store.claim({ ...stale, sequence: 1, incarnation: "x" })).rejects.toMatchObject({
      code: "STALE_RUNNER",
    });
    expect(kinds(await claim(claimOf("b")))).toEqual(["granted s"]);
  });
});

describe("apply", () => {
  it("names every task that waits again because of it", async () => {
    const { clock, store, request, apply, grant } = open();
    await store.insert(["back", "left", "ended", "unseen", "kept"].map((id) => newTask(id)));
    await apply();
    const [back, left, ended] = [await grant("back"), await grant("left"), await grant("ended")];
    const abandoned: Settlement = { id: "left", attempt: left.attempt, kind: "abandoned" };
    const settle = [returned(back, { delayMs: 40 }), abandoned, succeeded(ended)];
    const reply = await apply({ settle });
    expect(ids(reply)).toEqual(["back", "left"]);
    expect(reply.returned[0]?.notBeforeAtMs).toBe(clock.now() + 40);
    // The reply may not have arrived: a repetition names them again, as long as they wait.
    expect(ids(await store.apply(request({ settle })))).toEqual(["back", "left"]);
    await grant("unseen");
    await store.amend([{ kind: "cancel", id: "left" }]);
    expect(ids(await store.apply(request({ settle })))).toEqual(["back"]);
    expect(ids(await apply({ acknowledged: 1 }))).toEqual(["unseen"]);
    await grant("kept");
    expect(ids(await store.apply(request({ incarnation: "two", sequence: 1 })))).toEqual(["kept"]);
    expect(ids(await store.apply(request({ incarnation: "two", sequence: 2 })))).toEqual([]);
  });

  it("tells load and orphan holds of the servers asked for", async () => {
    const { store, apply, grant } = open();
    await store.insert([newTask("f"), newTask("b", { background: true })]);
    await apply();
    await grant("f");
    const training = await grant("b");
    const reply = await apply({ settle: [succeeded(training, false)], servers: ["t", "s"] });
    expect(reply).toMatchObject({ used: { s: 1, t: 0 }, held: ["s"] });
    expect(reply.orphanHolds).toEqual([{ server: "s", id: "b", attempt: 1, instance: undefined }]);
  });
});
