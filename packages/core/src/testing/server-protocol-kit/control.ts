import assert from "node:assert/strict";
import type { ModelServer } from "../../contracts/discovery.ts";
import type { RunQuery, RunReport } from "../../contracts/server-protocol.ts";
import { GatewayError } from "../../errors.ts";
import { assertBytes, readAll } from "../checks/bytes.ts";
import { nameOf, rejectsWith, rejectWhenAborted } from "../checks/rejections.ts";
import { settles, until } from "../checks/waiting.ts";
import { beginRun, callOf, type ServerProtocolFixture, type ServerProtocolTest, TASK_ID } from "./fixture.ts";

const SECRET = "do-not-tell";

const findsNone = ({ protocol }: ServerProtocolFixture): string | undefined =>
  protocol.capabilities.findsRuns ? undefined : "it does not claim to find runs";
const cancelsNone = ({ protocol }: ServerProtocolFixture): string | undefined =>
  protocol.capabilities.cancelsRuns ? undefined : "it does not claim to cancel runs";
const isAlwaysReached = ({ unreachable }: ServerProtocolFixture): string | undefined =>
  unreachable === undefined ? "the fixture has no server that cannot be reached" : undefined;

/** Readiness, runs, and what a server says of itself. */
export const control: readonly ServerProtocolTest[] = [
  {
    name: "probe finds a server that is up ready",
    async run({ protocol, server }) {
      assert.equal((await settles("probe", protocol.probe(server))).ready, true);
    },
  },
  {
    name: "probe finds a server that says so not ready, and tells why",
    leaveOut: ({ setReady }) => (setReady === undefined ? "the fixture cannot make it say so" : undefined),
    async run({ protocol, server, setReady }) {
      setReady?.(false);
      const report = await settles("probe", protocol.probe(server));
      assert.equal(report.ready, false);
      assert.ok(report.reason !== undefined && report.reason !== "", "it must give a reason");
      setReady?.(true);
      assert.equal((await settles("probe", protocol.probe(server))).ready, true, "ready, later");
    },
  },
  {
    name: "probe resolves not ready where there is no connection, and quotes no secret",
    leaveOut: isAlwaysReached,
    async run({ protocol, unreachable, server }) {
      for (const address of [unreachable ?? server, withSecret(unreachable ?? server)]) {
        const report = await settles("probe", protocol.probe(address));
        assert.equal(report.ready, false);
        assert.ok(!JSON.stringify(report).includes(SECRET), "the report quotes the address's password");
      }
    },
  },
  {
    name: "info is what the server says of itself, verbatim; undefined when it does not",
    async run({ protocol, server, unreachable, info }) {
      const answer = await settles("info", protocol.info(server));
      if (info === undefined) assert.equal(answer, undefined);
      else {
        assert.ok(answer !== undefined, "the server says something of itself");
        assert.equal(answer.contentType, info.contentType);
        assertBytes(await readAll(answer.body), info.bytes, "the information");
      }
      if (unreachable === undefined) return;
      assert.equal(await settles("info", protocol.info(unreachable)), undefined, "where nobody listens");
    },
  },
  {
    name: "findRun finds a run while it is active and after it has ended, by its task and by its own name",
    leaveOut: findsNone,
    async run(fixture) {
      for (const how of ["succeeded", "failed"] as const) {
        const outcome = await beginRun(fixture);
        assert.ok(outcome.kind === "accepted", `the outcome is ${outcome.kind}`);
        const { runId } = outcome;
        for (const query of queriesFor(runId)) {
          assert.equal((await find(fixture, query)).run, "active");
        }
        assert.ok(
          fixture.endRun !== undefined,
          "it claims to find runs: give the fixture endRun(), to show it",
        );
        await fixture.endRun(TASK_ID, how);
        for (const query of queriesFor(runId)) {
          await until(`the run is told as ${how}`, async () => (await find(fixture, query)).run === how);
        }
        if (runId !== undefined) assert.equal((await find(fixture, { taskId: TASK_ID, runId })).runId, runId);
      }
    },
  },
  {
    name: "findRun is sure that there is no run where there was none",
    leaveOut: findsNone,
    async run(fixture) {
      assert.equal((await find(fixture, { taskId: "a-task-that-began-nothing" })).run, "none");
    },
  },
  {
    name: "findRun resolves unclear where there is no connection",
    leaveOut: (fixture) => findsNone(fixture) ?? isAlwaysReached(fixture),
    async run(fixture) {
      const server = fixture.unreachable ?? fixture.server;
      assert.equal((await find({ ...fixture, server }, { taskId: TASK_ID })).run, "unclear");
    },
  },
  {
    name: "findRun tells nothing where it is not claimed: it is unclear or rejects with UNSUPPORTED",
    leaveOut: ({ protocol }) => (protocol.capabilities.findsRuns ? "it claims to find runs" : undefined),
    async run(fixture) {
      const told = await find(fixture, { taskId: TASK_ID }).then(
        ({ run }) => run,
        (error: unknown) => {
          assert.ok(GatewayError.is(error, "UNSUPPORTED"), `findRun rejected with ${nameOf(error)}`);
          return "unclear";
        },
      );
      assert.equal(told, "unclear");
    },
  },
  {
    name: "cancelRun asks the server to end the run that is meant, and no other",
    leaveOut: cancelsNone,
    async run(fixture) {
      const { protocol, server, cancelled } = fixture;
      assert.ok(cancelled !== undefined, "it claims to cancel runs: give the fixture cancelled, to show it");
      const outcome = await beginRun(fixture);
      assert.ok(outcome.kind === "accepted", `the outcome is ${outcome.kind}`);
      const other = protocol.cancelRun({ server, taskId: "another-task" });
      assert.equal(await settles("cancelRun", other), false, "cancelRun of a task that began nothing");
      assert.deepEqual([...cancelled], [], "runs that the server was asked to end");
      const { runId } = outcome;
      const named = protocol.cancelRun({ server, taskId: TASK_ID, runId });
      assert.equal(await settles("cancelRun", named), true);
      assert.deepEqual([...cancelled], [TASK_ID], "runs that the server was asked to end");
    },
  },
  {
    name: "cancelRun rejects with UNSUPPORTED where it is not claimed",
    leaveOut: ({ protocol }) => (protocol.capabilities.cancelsRuns ? "it claims to cancel runs" : undefined),
    async run({ protocol, server }) {
      await rejectsWith("UNSUPPORTED", "cancelRun", () => protocol.cancelRun({ server, taskId: TASK_ID }));
    },
  },
  {
    name: "a signal that was aborted before makes every method reject with its reason",
    async run(fixture) {
      const { protocol, server } = fixture;
      const { findsRuns, cancelsRuns } = protocol.capabilities;
      const query = { server, taskId: TASK_ID };
      await rejectWhenAborted({
        call: (options) => protocol.call(callOf(fixture), options),
        probe: (options) => protocol.probe(server, options),
        info: (options) => protocol.info(server, options),
        ...(findsRuns ? { findRun: (options) => protocol.findRun(query, options) } : {}),
        ...(cancelsRuns ? { cancelRun: (options) => protocol.cancelRun(query, options) } : {}),
      });
    },
  },
];

async function find(
  { protocol, server }: Pick<ServerProtocolFixture, "protocol" | "server">,
  query: Omit<RunQuery, "server">,
): Promise<RunReport> {
  const report = await settles("findRun", protocol.findRun({ server, ...query }));
  if (report.document !== undefined) await readAll(report.document.body);
  return report;
}

/** The ways to ask for a run. */
function queriesFor(runId: string | undefined): readonly Omit<RunQuery, "server">[] {
  return runId === undefined ? [{ taskId: TASK_ID }] : [{ taskId: TASK_ID }, { taskId: TASK_ID, runId }];
}

function withSecret(server: ModelServer): ModelServer {
  if (!URL.canParse(server.url)) return server;
  const url = new URL(server.url);
  url.username = "somebody";
  url.password = SECRET;
  return { ...server, url: url.href.replace(/\/$/, "") };
}
