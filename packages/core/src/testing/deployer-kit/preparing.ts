import assert from "node:assert/strict";
import type { PrepareProgress, ServerSpec } from "../../contracts/deployer.ts";
import { nameOf, rejectsWith } from "../checks/rejections.ts";
import { pause, settles } from "../checks/waiting.ts";
import { type DeployerFixture, type DeployerTest, identityOf, list, make, remove, run } from "./fixture.ts";

const NO_REGISTRY = "the fixture has no registry";

function withoutRegistry({ registry }: DeployerFixture): string | undefined {
  return registry === undefined ? NO_REGISTRY : undefined;
}

/** Images: that they are there or that it is said why not, and how far their pull is. */
export const preparing: readonly DeployerTest[] = [
  {
    name: "an image that is nowhere rejects with IMAGE_MISSING, and nothing is made",
    async run(fixture) {
      const { deployer, spec, missingImage } = fixture;
      const identity = identityOf(fixture, "m");
      for (const missing of [spec({ image: missingImage }), spec({ image: missingImage, pull: "never" })]) {
        await rejectsWith("IMAGE_MISSING", "prepare", () => deployer.prepare(missing, identity));
        await rejectsWith("IMAGE_MISSING", "create", () => deployer.create(missing, identity));
      }
      assert.deepEqual(await list(fixture), []);
      await remove(fixture, await make(fixture, "m"));
    },
  },
  {
    name: "prepare tells how far it is, and that it is ready in the end",
    async run(fixture) {
      const told = await prepare(fixture, fixture.spec());
      assert.equal(told.at(-1)?.phase, "ready", "the last phase told of an image that is here");
      const image = await fixture.registry?.image();
      if (image === undefined) return;
      const pulled = await prepare(fixture, fixture.spec({ image }));
      assert.equal(pulled.at(-1)?.phase, "ready", "the last phase told of an image that was pulled");
      assert.ok(pulled.length > 1, "nothing was told while it was pulled");
      for (const { doneBytes = 0, totalBytes = doneBytes } of pulled) {
        assert.ok(doneBytes >= 0 && doneBytes <= totalBytes, `${doneBytes} of ${totalBytes} bytes are done`);
      }
    },
  },
  {
    name: "prepare tells nothing more when it has resolved",
    async run(fixture) {
      const image = await fixture.registry?.image();
      const told = await prepare(fixture, fixture.spec(image === undefined ? {} : { image }));
      const count = told.length;
      await pause();
      assert.equal(told.length, count, "reports");
    },
  },
  {
    name: "an image that was prepared can be run",
    leaveOut: withoutRegistry,
    async run(fixture) {
      const image = await fixture.registry?.image();
      assert.ok(image !== undefined);
      await prepare(fixture, fixture.spec({ image }));
      await run(fixture, "m", fixture.spec({ image, pull: "never" }));
    },
  },
  {
    name: "those who prepare one image at once share one pull, and all are told that it is ready",
    leaveOut: (fixture) =>
      fixture.registry?.pulls === undefined ? "the fixture does not count pulls" : undefined,
    async run(fixture) {
      const { registry } = fixture;
      assert.ok(registry?.pulls !== undefined);
      const image = await registry.image();
      const names = ["a", "b", "c", "d"];
      const all = await Promise.all(names.map((name) => prepare(fixture, fixture.spec({ image }), name)));
      assert.equal(await registry.pulls(image), 1, "pulls");
      for (const told of all) assert.equal(told.at(-1)?.phase, "ready", "the last phase told");
    },
  },
  {
    name: "who gives up preparing does not stop the pull for the others",
    leaveOut: withoutRegistry,
    async run(fixture) {
      const { deployer, spec, registry } = fixture;
      const image = await registry?.image();
      assert.ok(image !== undefined);
      const controller = new AbortController();
      const reason = new Error("enough");
      const { signal } = controller;
      const first = deployer
        .prepare(spec({ image }), identityOf(fixture, "a"), { signal })
        .then(() => "prepared")
        .catch((error: unknown) => error);
      const second = deployer.prepare(spec({ image }), identityOf(fixture, "b"));
      controller.abort(reason);
      const end = await settles("prepare, aborted", first);
      assert.ok(end === reason || end === "prepared", `prepare rejected with ${nameOf(end)}`);
      await settles("prepare, not aborted", second);
      await prepare(fixture, spec({ image, pull: "never" }));
    },
  },
  {
    name: "an image that is here is not pulled, unless it is asked for",
    leaveOut: (fixture) =>
      fixture.registry?.pulls === undefined ? "the fixture does not count pulls" : undefined,
    async run(fixture) {
      const { registry } = fixture;
      assert.ok(registry?.pulls !== undefined);
      const image = await registry.image();
      await prepare(fixture, fixture.spec({ image }));
      await prepare(fixture, fixture.spec({ image, pull: "missing" }));
      await prepare(fixture, fixture.spec({ image, pull: "never" }));
      assert.equal(await registry.pulls(image), 1, "pulls of what was missing once");
      await prepare(fixture, fixture.spec({ image, pull: "always" }));
      assert.equal(await registry.pulls(image), 2, "pulls, when asked for always");
    },
  },
];

/** Prepares an image and resolves what was told of it, and goes on being told. */
async function prepare(
  fixture: DeployerFixture,
  spec: ServerSpec,
  name: string = "m",
): Promise<PrepareProgress[]> {
  const told: PrepareProgress[] = [];
  const onProgress = (progress: PrepareProgress): void => void told.push({ ...progress });
  await settles("prepare", fixture.deployer.prepare(spec, identityOf(fixture, name), { onProgress }));
  return told;
}
