import { describe, expect, it } from "vitest";
import type { RunReport } from "../../src/contracts/server-protocol.ts";
import { documentOf, MINUTE, SECOND, TrainingWorld } from "./support/training-world.ts";

const ended = (run: "succeeded" | "failed", more: Partial<RunReport> = {}): (() => RunReport) => {
  return () => ({ run, document: documentOf(`{"as":"${run}"}`), ...more });
};

describe("a cancel", () => {
  async function begun() {
    const world = new TrainingWorld();
    const gateway = await world.start();
    const id = await world.train(gateway);
    await world.clock.advance(MINUTE);
    return { world, gateway, id };
  }

  it("that is not taken is asked for again, and once it is not", async () => {
    const { world, gateway, id } = await begun();
    world.takesCancel = () => world.cancels.length === 3;
    await gateway.cancel(id);
    await world.clock.advance(20 * SECOND);
    expect(world.cancels).toHaveLength(3);
  });

  it("that stops nothing ends as what really happened, if that comes soon", async () => {
    const { world, gateway, id } = await begun();
    await gateway.cancel(id);
    await world.clock.advance(4 * SECOND);
    world.telling = ended("succeeded");
    expect((await world.after(20 * SECOND, gateway, id)).state).toBe("succeeded");
  });

  it("of a run that is stopped ends as cancelled", async () => {
    const { world, gateway, id } = await begun();
    await gateway.cancel(id);
    world.telling = ended("failed");
    expect((await world.after(20 * SECOND, gateway, id)).state).toBe("cancelled");
  });

  it("that stops nothing ends the task after a while; the server stays held until it is free", async () => {
    const { world, gateway, id } = await begun();
    await gateway.cancel(id);
    expect((await world.after(MINUTE, gateway, id)).state).toBe("cancelled");
    const second = await world.train(gateway);
    expect((await world.after(10 * MINUTE, gateway, second)).state).toBe("pending");
    world.telling = ended("succeeded");
    expect((await world.after(MINUTE, gateway, second)).state).not.toBe("pending");
    expect(world.calls.map(({ taskId }) => taskId)).toEqual([id, second]);
  });

  it("leaves a server held until its process is another, where its run never ends", async () => {
    const { world, gateway, id } = await begun();
    world.telling = ({ wantsInstance }) => ({
      run: "active",
      ...(wantsInstance ? { instance: "process:1" } : {}),
    });
    await gateway.cancel(id);
    await world.clock.advance(MINUTE);
    const second = await world.train(gateway);
    expect((await world.after(5 * MINUTE, gateway, second)).state).toBe("pending");
    world.telling = ({ wantsInstance }) => ({ run: "active", ...(wantsInstance ? { isLost: true } : {}) });
    expect((await world.after(2 * MINUTE, gateway, second)).state).not.toBe("pending");
  });
});
