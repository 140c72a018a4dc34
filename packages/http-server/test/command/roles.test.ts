import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { call } from "../support/http-client.ts";
import { openRoles, type RoleProcesses, type Started } from "./role-processes.ts";
import { SHARED_STORES } from "./test-stores.ts";

const LEASE_MS = 3_000;

describe.each(SHARED_STORES)("two gateways and two schedulers on $name", ({ isThere, make }) => {
  let roles: RoleProcesses;
  let gateways: [Started, Started];
  let schedulers: [Started, Started];

  beforeAll(async () => {
    if (!isThere) return;
    roles = await openRoles(await make());
    gateways = await Promise.all([roles.start("gateway"), roles.start("gateway")]);
    schedulers = await Promise.all([
      roles.start("scheduler", "--port", "0", "--name", "first"),
      roles.start("scheduler", "--port", "0", "--name", "second"),
    ]);
  }, 60_000);
  afterAll(() => roles?.close());

  const submit = (url: string, body: string, headers: Record<string, string> = {}) =>
    call(url, "/models/nlp/tasks/process", {
      method: "POST",
      headers: { "content-type": "text/plain", ...headers },
      body,
    });
  const status = async (url: string, id: string): Promise<string> =>
    (await call(url, `/tasks/${id}`)).json.status;
  const metric = async (url: string, name: string): Promise<number> => {
    const { text } = await call(url, "/metrics");
    const lines = text.split("\n").filter((line) => line.startsWith(name));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  };

  const heldBy = (of: readonly Started[]): Promise<number[]> =>
    Promise.all(of.map(({ url }) => metric(url, "modelgate_slots_in_use{")));

  it.runIf(isThere)("runs at a scheduler what one gateway took, and another waits for it", async () => {
    const [a, b] = gateways;
    const key = { "idempotency-key": "one-request" };
    const { uuid } = (await submit(a.url, "hang until it is cancelled", key)).json;
    // The same request at the other gateway is the same task.
    const waiting = submit(b.url, "hang until it is cancelled", { ...key, prefer: "wait=20" });
    await expect.poll(() => roles.model.waiting(), { timeout: 10_000 }).toHaveLength(1);
    const beganMs = performance.now();
    expect((await call(b.url, `/tasks/${uuid}`, { method: "DELETE" })).json.uuid).toBe(uuid);
    const answer = await waiting;
    expect(answer.status).toBe(409);
    expect(answer.headers).toMatchObject({ "x-task-uuid": uuid, "x-task-status": "cancelled" });
    expect(performance.now() - beganMs).toBeLessThan(LEASE_MS);
    expect(await status(a.url, uuid)).toBe("cancelled");
    expect(roles.model.waiting()).toEqual([]);
  });

  it.runIf(isThere)("answers each request at the gateway that took it, large ones too", async () => {
    const texts = Array.from(
      { length: 20 },
      (_, at) => `text ${at} ${"x".repeat(at % 2 === 0 ? 10 : 100_000)}`,
    );
    const answers = await Promise.all(
      texts.map((text, at) => submit(gateways[at % 2]?.url ?? "", text, { prefer: "wait=20" })),
    );
    expect(answers.map(({ json }) => json.text)).toEqual(texts);
    for (const text of texts) expect(roles.model.count(text)).toBe(1);
  });

  it.runIf(isThere)("tells of each process what it is and what it does", async () => {
    const sums = async (name: string): Promise<number[]> =>
      Promise.all([...gateways, ...schedulers].map(({ url }) => metric(url, name)));
    expect(await sums('modelgate_role{role="gateway"}')).toEqual([1, 1, 0, 0]);
    expect(await sums('modelgate_role{role="scheduler"}')).toEqual([0, 0, 1, 1]);
    const [takenA, takenB, ...taken] = await sums("gateway_tasks_processed_total");
    expect([takenA, takenB, ...taken]).toEqual([11, 10, 0, 0]);
    const [runA, runB, ...run] = await sums("scheduler_tasks_scheduled_total");
    expect([runA, runB]).toEqual([0, 0]);
    expect((run[0] ?? 0) + (run[1] ?? 0)).toBe(21);
    for (const { url } of schedulers) {
      const health = await call(url, "/healthz");
      expect([health.status, health.json.status]).toEqual([200, "healthy"]);
      expect((await call(url, "/tasks/")).status).toBe(404);
      expect((await call(url, "/metrics", { method: "POST" })).status).toBe(405);
    }
  });

  it.runIf(isThere)(
    "ends at one scheduler what another held that was killed",
    async () => {
      const [{ url }] = gateways;
      const texts = Array.from({ length: 8 }, (_, at) => `hang ${at}`);
      const ids = await Promise.all(texts.map(async (text) => (await submit(url, text)).json.uuid as string));
      await expect.poll(() => roles.model.waiting().length, { timeout: 10_000 }).toBeGreaterThanOrEqual(4);
      // Slots are raised while all goes well, so that more than at first may be held.
      await expect
        .poll(async () => sum(await heldBy(schedulers)), { timeout: 10_000 })
        .toBe(roles.model.waiting().length);
      const held = await heldBy(schedulers);
      const victim = schedulers[(held[0] ?? 0) > (held[1] ?? 0) ? 0 : 1];
      victim.running.child.kill("SIGKILL");
      await victim.running.ended;
      const killedMs = performance.now();
      roles.model.answerAll();
      const states = () => Promise.all(ids.map((id) => status(url, id)));
      await expect.poll(states, { timeout: 30_000 }).toEqual(ids.map(() => "succeeded"));
      expect(performance.now() - killedMs).toBeLessThan(2 * LEASE_MS);
      expect(texts.filter((text) => roles.model.count(text) === 2)).toHaveLength(Math.max(...held));
    },
    60_000,
  );
});

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
