import assert from "node:assert/strict";
import { pause, until } from "../checks/waiting.ts";
import { type DeployerFixture, type DeployerTest, NO_OTHER, remove, run } from "./fixture.ts";

/** Hints that something may have changed. They may be lost, so that changes are made until one is heard. */
export const watching: readonly DeployerTest[] = [
  {
    name: "who watches is told that something may have changed, also by another process",
    leaveOut: ({ another }) => (another === undefined ? NO_OTHER : undefined),
    async run(fixture) {
      const other = await fixture.another?.();
      if (other === undefined) return;
      const hints = [0, 0];
      const stops = [fixture.deployer, other].map((deployer, at) =>
        deployer.watch(fixture.installation, () => {
          hints[at] = (hints[at] ?? 0) + 1;
        }),
      );
      await changeUntil(fixture, () => hints.every((count) => count > 0));
      for (const stop of stops) stop();
    },
  },
  {
    name: "who watches is told that a server ended by itself",
    leaveOut: ({ kill }) => (kill === undefined ? "the fixture cannot kill a server" : undefined),
    async run(fixture) {
      const { deployer, installation } = fixture;
      let hints = 0;
      deployer.watch(installation, () => {
        hints += 1;
      });
      for (let round = 0; round < 5; round += 1) {
        const { id } = await run(fixture, `m${round}`);
        // What its start has caused is told by then.
        await pause();
        hints = 0;
        await fixture.kill?.(id);
        const giveUpAtMs = performance.now() + 1000;
        while (hints === 0 && performance.now() < giveUpAtMs) await pause(5);
        if (hints > 0) return;
      }
      assert.fail("no hint came when a server ended");
    },
  },
  {
    name: "a watcher that was stopped is told nothing more, and the others are",
    async run(fixture) {
      const { deployer, installation } = fixture;
      let [stopped, going] = [0, 0];
      const listener = (): void => {
        stopped += 1;
      };
      const stop = deployer.watch(installation, listener);
      deployer.watch(installation, () => {
        going += 1;
      });
      await changeUntil(fixture, () => stopped > 0 && going > 0);
      stop();
      stop();
      await pause();
      [stopped, going] = [0, 0];
      await changeUntil(fixture, () => going > 0);
      await pause();
      assert.equal(stopped, 0, "hints to the one that was stopped");
    },
  },
  {
    name: "a listener that watches twice is told until both watches are stopped",
    async run(fixture) {
      const { deployer, installation } = fixture;
      let hints = 0;
      const listener = (): void => {
        hints += 1;
      };
      const stop = deployer.watch(installation, listener);
      deployer.watch(installation, listener);
      stop();
      stop();
      await changeUntil(fixture, () => hints > 0);
    },
  },
  {
    name: "a watcher that throws harms neither the others nor who changes something",
    async run(fixture) {
      const { deployer, installation } = fixture;
      let hints = 0;
      deployer.watch(installation, () => {
        throw new Error("a listener must not throw; this one does");
      });
      deployer.watch(installation, () => {
        hints += 1;
      });
      await changeUntil(fixture, () => hints > 0);
    },
  },
];

/** Makes and removes servers until a hint was heard; a hint may be a moment late, and the first ones may be lost. */
async function changeUntil(fixture: DeployerFixture, isHeard: () => boolean): Promise<void> {
  await until("a hint is heard", async () => {
    await remove(fixture, await run(fixture, "changed"));
    await pause(20);
    return isHeard();
  });
}
