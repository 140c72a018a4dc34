import assert from "node:assert/strict";
import type { LogLine } from "../../contracts/deployer.ts";
import { rejectionOf, rejectsWith } from "../checks/rejections.ts";
import { pause, settles, until } from "../checks/waiting.ts";
import {
  type DeployerFixture,
  type DeployerTest,
  linesOf,
  make,
  reaches,
  remove,
  run,
  untilWritten,
} from "./fixture.ts";

const ODD_LINES = [
  "a line",
  "",
  "  indented\tand with tabs  ",
  "\u00e9 \u4e16\u754c \u{1f600}".repeat(50),
  "\u0001\u0002\u0000\u0000\u0000\u0000\u0000\u0005 like the head of a frame",
  "\u001b[31mred\u001b[0m",
  // Longer than what some engines keep as one piece.
  "x".repeat(20_000),
  "the last one",
];

function withoutLogs({ deployer }: DeployerFixture): string | undefined {
  return deployer.capabilities.logs ? undefined : "it claims no logs";
}

/** What a server wrote. */
export const logging: readonly DeployerTest[] = [
  {
    name: "logs rejects with UNSUPPORTED where it is not claimed",
    leaveOut: ({ deployer }) => (deployer.capabilities.logs ? "it claims logs" : undefined),
    async run(fixture) {
      const { id } = await run(fixture, "m");
      await rejectsWith("UNSUPPORTED", "logs", () => linesOf(fixture, id));
    },
  },
  {
    name: "what a server wrote comes line by line, oldest first, each with its stream",
    leaveOut: withoutLogs,
    async run(fixture) {
      const written = ODD_LINES.flatMap((text): LogLine[] => [
        { stream: "stdout", text },
        { stream: "stderr", text: `${text} (err)` },
      ]);
      const { id } = await run(fixture, "m", fixture.writer(written));
      const lines = await untilWritten(fixture, id, written.length);
      // Between the two streams, most engines keep no order.
      for (const stream of ["stdout", "stderr"] as const) {
        assert.deepEqual(textsOf(lines, stream), textsOf(written, stream), stream);
      }
    },
  },
  {
    name: "the last lines come first: 100 of them, or as many as asked for",
    leaveOut: withoutLogs,
    async run(fixture) {
      const written = numbered(130);
      const { id } = await run(fixture, "m", fixture.writer(written));
      await untilWritten(fixture, id, written.length);
      assert.deepEqual(await linesOf(fixture, id), written.slice(-100), "without a tail");
      assert.deepEqual(await linesOf(fixture, id, { tail: 3 }), written.slice(-3), "a tail of 3");
      assert.deepEqual(await linesOf(fixture, id, { tail: 0 }), [], "a tail of 0");
      assert.deepEqual(await linesOf(fixture, id, { tail: 1000 }), written, "a tail of more than there are");
    },
  },
  {
    name: "what a server wrote can be read after it ended, and before it was started",
    leaveOut: withoutLogs,
    async run(fixture) {
      const created = await make(fixture, "created");
      assert.deepEqual(await linesOf(fixture, created.id), [], "of a server that was not started");
      const written = numbered(3);
      const ended = await run(fixture, "ended", fixture.writer(written, 3));
      await reaches(fixture, ended, "stopped");
      assert.deepEqual(await untilWritten(fixture, ended.id, 3), written);
      assert.deepEqual(await linesOf(fixture, ended.id, { follow: true }), written, "followed");
    },
  },
  {
    name: "logs of what is gone rejects with DEPLOYMENT_UNKNOWN",
    leaveOut: withoutLogs,
    async run(fixture) {
      const server = await make(fixture, "m");
      await remove(fixture, server);
      await rejectsWith("DEPLOYMENT_UNKNOWN", "logs", () => linesOf(fixture, server.id));
    },
  },
  {
    name: "who follows is told what was written and goes on, until the server ends",
    leaveOut: withoutLogs,
    async run(fixture) {
      const written = numbered(5);
      const server = await run(fixture, "m", fixture.writer(written));
      const lines: LogLine[] = [];
      const following = (async () => {
        const { installation, deployer } = fixture;
        for await (const line of deployer.logs(server.id, { installation, follow: true })) lines.push(line);
        return "over";
      })();
      following.catch(() => {});
      await until("all is told", () => lines.length >= written.length);
      const early = await Promise.race([following, pause().then(() => "going on")]);
      assert.equal(early, "going on", "what is followed of a server that runs");
      await remove(fixture, server);
      assert.equal(await settles("the end of what is followed", following), "over");
      assert.deepEqual(
        lines.map(({ text }) => text),
        written.map(({ text }) => text),
      );
    },
  },
  {
    name: "an abort ends what is followed with its reason",
    leaveOut: withoutLogs,
    async run(fixture) {
      const { id } = await run(fixture, "m", fixture.writer(numbered(1)));
      const reason = new Error("enough");
      const controller = new AbortController();
      const following = linesOf(fixture, id, { follow: true, signal: controller.signal });
      const rejected = rejectionOf("what is followed", () => following);
      await pause();
      controller.abort(reason);
      assert.equal(await rejected, reason);
    },
  },
  {
    name: "who stops reading may do so at any line",
    leaveOut: withoutLogs,
    async run(fixture) {
      const { deployer, installation } = fixture;
      const { id } = await run(fixture, "m", fixture.writer(numbered(5)));
      await untilWritten(fixture, id, 5);
      for (const follow of [false, true]) {
        const reading = async (): Promise<string | undefined> => {
          for await (const { text } of deployer.logs(id, { installation, follow })) return text;
          return undefined;
        };
        assert.equal(await settles("the first line", reading()), "line 0");
      }
    },
  },
];

function numbered(count: number): LogLine[] {
  return Array.from({ length: count }, (_, at) => ({ stream: "stdout", text: `line ${at}` }));
}

function textsOf(lines: readonly LogLine[], stream: LogLine["stream"]): string[] {
  return lines.filter((line) => line.stream === stream).map(({ text }) => text);
}
