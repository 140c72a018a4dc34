import assert from "node:assert/strict";
import { rejectsWith } from "../checks/rejections.ts";
import { pause, settles } from "../checks/waiting.ts";
import { type DeployerTest, linesOf, list, listedIds, make, NO_OTHER, remove, run } from "./fixture.ts";

/** A deployer that is closed: what the kit of whatever is closed does not see. */
export const closing: readonly DeployerTest[] = [
  {
    name: "after close, start, logs and watch fail with CLOSED",
    async run(fixture) {
      const { deployer, installation } = fixture;
      const { id } = await make(fixture, "m");
      await settles("close", deployer.close());
      await rejectsWith("CLOSED", "start", () => deployer.start(id, { installation }));
      await rejectsWith("CLOSED", "watch", async () => deployer.watch(installation, () => {}));
      if (!deployer.capabilities.logs) return;
      await rejectsWith("CLOSED", "logs", () => linesOf(fixture, id));
    },
  },
  {
    name: "close ends neither a server nor another deployer, and hints of it are told no more",
    leaveOut: ({ another }) => (another === undefined ? NO_OTHER : undefined),
    async run(fixture) {
      const { deployer, installation } = fixture;
      const other = await fixture.another?.();
      if (other === undefined) return;
      const server = await run(fixture, "m");
      let hints = 0;
      deployer.watch(installation, () => {
        hints += 1;
      });
      await settles("close", deployer.close());
      await pause();
      hints = 0;
      const [listed] = await list(fixture, other);
      assert.equal(listed?.state, "running", "the state of the server");
      await remove(fixture, server, other);
      assert.deepEqual(await listedIds(fixture, other), []);
      await pause();
      assert.equal(hints, 0, "hints to the watcher of what was closed");
    },
  },
];
