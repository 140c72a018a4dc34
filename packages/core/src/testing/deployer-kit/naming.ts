import assert from "node:assert/strict";
import type { DeployedServer, Deployer } from "../../contracts/deployer.ts";
import { GatewayError } from "../../errors.ts";
import { nameOf, rejectionOf, rejectsWith } from "../checks/rejections.ts";
import { settles } from "../checks/waiting.ts";
import {
  type DeployerFixture,
  type DeployerTest,
  identityOf,
  list,
  listedIds,
  make,
  modelOf,
  NO_OTHER,
  otherInstallationOf,
  remove,
  run,
  specCalls,
} from "./fixture.ts";

/** Models whose names something on the way might fold into one. */
const ALIKE = ["like", "LIKE", "Like", "li-ke", "li_ke", "li.ke", "like-1"] as const;

/** A model has at most one server: of two calls, one meets `NAME_TAKEN`. */
export const naming: readonly DeployerTest[] = [
  {
    name: "a second server of a model meets NAME_TAKEN with its holder, whatever the holder's state, and nothing is made",
    async run(fixture) {
      const [created, running] = [await make(fixture, "created"), await run(fixture, "running")];
      for (const [name, holder] of [
        ["created", created],
        ["running", running],
      ] as const) {
        const identity = { generation: "another generation", kind: "manual" } as const;
        const error = await rejectionOf("create", () => make(fixture, name, undefined, identity));
        assert.ok(GatewayError.is(error, "NAME_TAKEN"), `create rejected with ${nameOf(error)}`);
        assert.equal(error.details["holder"], holder.id, "details.holder");
      }
      assert.deepEqual(await listedIds(fixture), [created.id, running.id].sort());
    },
  },
  {
    name: "of many who make a server of one model at once, exactly one does, and the others meet NAME_TAKEN",
    async run(fixture) {
      const deployers = [fixture.deployer, (await fixture.another?.()) ?? fixture.deployer];
      for (let round = 0; round < 3; round += 1) {
        const outcomes = await Promise.all(
          Array.from({ length: 8 }, (_, at) =>
            outcomeOf(fixture, `m${round}`, `${at}`, deployers[at % 2] as Deployer),
          ),
        );
        const made = outcomes.flatMap((outcome) => (outcome instanceof Error ? [] : [outcome]));
        assert.equal(made.length, 1, "servers that create resolved");
        const all = (await list(fixture)).filter(({ model }) => model === modelOf(fixture, `m${round}`));
        assert.deepEqual(
          all.map(({ id }) => id),
          made.map(({ id }) => id),
          "the server that is listed",
        );
        for (const error of outcomes) {
          if (!(error instanceof Error)) continue;
          assert.ok(GatewayError.is(error, "NAME_TAKEN"), `create rejected with ${nameOf(error)}`);
          // The engine may keep a name a moment before it lists who has it.
          const holder = error.details["holder"] ?? all[0]?.id;
          assert.equal(holder, all[0]?.id, "details.holder");
        }
      }
    },
  },
  {
    name: "a model's name that another installation's server has is taken, and its holder is not told",
    async run(fixture) {
      const { deployer, spec } = fixture;
      const other = { installation: otherInstallationOf(fixture) };
      const theirs = await make(fixture, "m", undefined, other);
      for (const call of specCalls(deployer)) {
        const error = await rejectionOf("the call", () => call(spec(), identityOf(fixture, "m")));
        assert.ok(GatewayError.is(error, "NAME_TAKEN"), `it rejected with ${nameOf(error)}`);
        assert.equal(error.details["holder"], undefined, "details.holder");
      }
      assert.deepEqual(await listedIds(fixture), []);
      assert.deepEqual(await listedIds(fixture, deployer, other.installation), [theirs.id]);
    },
  },
  {
    name: "a model's name that a stranger's server answers to is taken",
    leaveOut: ({ stranger }) => (stranger === undefined ? "the fixture has no strangers" : undefined),
    async run(fixture) {
      const { deployer, spec, stranger } = fixture;
      const { isUntouched } = (await stranger?.(modelOf(fixture, "m"))) ?? {};
      const identity = identityOf(fixture, "m");
      await rejectsWith("NAME_TAKEN", "prepare", () => deployer.prepare(spec(), identity));
      await rejectsWith("NAME_TAKEN", "create", () => deployer.create(spec(), identity));
      assert.ok(await isUntouched?.(), "the stranger's server must be left alone");
      assert.deepEqual(await list(fixture), []);
    },
  },
  {
    name: "prepare resolves for a model that has a server of this installation",
    async run(fixture) {
      const server = await run(fixture, "m");
      const preparing = fixture.deployer.prepare(fixture.spec(), identityOf(fixture, "m"));
      await settles("prepare", preparing);
      await remove(fixture, server);
    },
  },
  {
    name: "models whose names are alike have servers of their own, or are refused with INVALID_REQUEST",
    async run(fixture) {
      const made: DeployedServer[] = [];
      for (const name of ALIKE) {
        const model = `${fixture.installation}${name}`;
        const outcome = await make(fixture, "m", undefined, { model }).catch((error: unknown) => {
          assert.ok(
            GatewayError.is(error, "INVALID_REQUEST"),
            `${name}: create rejected with ${nameOf(error)}`,
          );
        });
        if (outcome === undefined) continue;
        assert.equal(outcome.model, model, "its model");
        made.push(outcome);
      }
      assert.deepEqual(await listedIds(fixture), made.map(({ id }) => id).sort());
      assert.ok(made.length > 0, "all of them were refused");
    },
  },
  {
    name: "a server's name follows from its model alone",
    leaveOut: ({ another }) => (another === undefined ? NO_OTHER : undefined),
    async run(fixture) {
      const other = await fixture.another?.();
      if (other === undefined) return;
      const first = await make(fixture, "m");
      await remove(fixture, first);
      const identity = identityOf(fixture, "m", { generation: "second", kind: "manual", ttlMs: 1000 });
      const second = await settles("create", other.create(fixture.writer([]), identity));
      assert.equal(second.name, first.name);
      assert.notEqual(second.id, first.id, "an id that was used before");
    },
  },
];

async function outcomeOf(
  fixture: DeployerFixture,
  name: string,
  generation: string,
  deployer: Deployer,
): Promise<DeployedServer | Error> {
  const creating = deployer.create(fixture.spec(), identityOf(fixture, name, { generation }));
  return await settles(
    "create",
    creating.catch((error: Error) => error),
  );
}
