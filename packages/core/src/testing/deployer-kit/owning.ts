import assert from "node:assert/strict";
import type { DeployedServer } from "../../contracts/deployer.ts";
import { GatewayError } from "../../errors.ts";
import { nameOf, rejectionOf, rejectsWith } from "../checks/rejections.ts";
import {
  type DeployerFixture,
  type DeployerTest,
  find,
  GRACE_MS,
  linesOf,
  listedIds,
  make,
  modelOf,
  otherInstallationOf,
  run,
  start,
} from "./fixture.ts";

/** Nothing is stopped or removed that does not carry the installation named. */
export const owning: readonly DeployerTest[] = [
  {
    name: "to remove another installation's server rejects with NOT_OURS, and it runs on",
    async run(fixture) {
      const theirs = await makeTheirs(fixture);
      await start(fixture, theirs);
      const { deployer, installation } = fixture;
      await rejectsWith("NOT_OURS", "remove", () =>
        deployer.remove(theirs.id, { installation, graceMs: GRACE_MS }),
      );
      assert.equal((await find(fixture, theirs))?.state, "running", "the state of their server");
    },
  },
  {
    name: "to remove a stranger's server rejects with NOT_OURS, and leaves it untouched",
    leaveOut: ({ stranger }) => (stranger === undefined ? "the fixture has no strangers" : undefined),
    async run(fixture) {
      const { deployer, installation, stranger } = fixture;
      const theirs = await stranger?.(modelOf(fixture, "m"));
      if (theirs === undefined) return;
      await rejectsWith("NOT_OURS", "remove", () =>
        deployer.remove(theirs.id, { installation, graceMs: GRACE_MS }),
      );
      assert.ok(await theirs.isUntouched(), "the stranger's server must be left alone");
      assert.deepEqual(await listedIds(fixture), [], "a stranger's server must not be listed");
    },
  },
  {
    name: "another installation's server is not started",
    async run(fixture) {
      const theirs = await makeTheirs(fixture);
      const { deployer, installation } = fixture;
      const error = await rejectionOf("start", () => deployer.start(theirs.id, { installation }));
      const isRefused = GatewayError.is(error, "NOT_OURS") || GatewayError.is(error, "DEPLOYMENT_UNKNOWN");
      assert.ok(isRefused, `start must reject with NOT_OURS; it rejected with ${nameOf(error)}`);
      assert.equal((await find(fixture, theirs))?.state, "created", "the state of their server");
    },
  },
  {
    name: "to read what another installation's server wrote rejects with NOT_OURS",
    leaveOut: ({ deployer }) => (deployer.capabilities.logs ? undefined : "it claims no logs"),
    async run(fixture) {
      const theirs = await makeTheirs(fixture);
      await start(fixture, theirs);
      await rejectsWith("NOT_OURS", "logs", () => linesOf(fixture, theirs.id));
    },
  },
  {
    name: "list shows the servers of one installation, and no others",
    async run(fixture) {
      const theirs = await makeTheirs(fixture);
      await fixture.stranger?.(modelOf(fixture, "stranger"));
      const ours = [await make(fixture, "a"), await run(fixture, "b")];
      assert.deepEqual(await listedIds(fixture), ours.map(({ id }) => id).sort());
      const other = otherInstallationOf(fixture);
      assert.deepEqual(await listedIds(fixture, fixture.deployer, other), [theirs.id]);
      // An installation whose name ours begins with is another one.
      const shorter = fixture.installation.slice(0, -1);
      assert.deepEqual(await listedIds(fixture, fixture.deployer, shorter), []);
    },
  },
];

async function makeTheirs(fixture: DeployerFixture): Promise<DeployedServer> {
  const installation = otherInstallationOf(fixture);
  return await make(fixture, "theirs", undefined, { installation });
}
