import assert from "node:assert/strict";
import type { Closable } from "../../contracts/common.ts";
import { GatewayError } from "../../errors.ts";
import { nameOf, rejectsWith } from "../checks/rejections.ts";
import { pause, settles, until } from "../checks/waiting.ts";
import type { Kit, KitFixture, KitTest } from "../kit/kit.ts";

/** Parts that any fixture may have, so that the end of its subject is looked at more closely. */
export interface LifecycleParts {
  /** Rejects when something that the subject was handed does not work any more. */
  readonly handedIn?: (() => Promise<void>) | undefined;
  /** How many files, connections, timers or the like the subject holds now. */
  readonly held?: (() => number | Promise<number>) | undefined;
  /**
   * Starts a process that opens a subject of this kind, uses it, closes it and does nothing more. Resolves its exit
   * code when it has ended by itself.
   */
  readonly processThatCloses?: (() => Promise<number | null>) | undefined;
}

type Calls = Readonly<Record<string, () => Promise<unknown>>>;

/** What can be closed, and how it is used. */
export interface LifecycleSubject extends LifecycleParts {
  readonly subject: Closable;
  /** Every method besides `close`, by its name, called in a way that it accepts. */
  readonly calls: Calls;
  /** Calls that would go on for a long time. */
  readonly pending?: Calls | undefined;
}

export interface LifecycleFixture extends KitFixture, LifecycleSubject {}

/** What must hold of anything that is closed, for the kit of a contract of its own. */
export function lifecycleTests<Fixture extends KitFixture>(
  subjectOf: (fixture: Fixture) => LifecycleSubject,
): readonly KitTest<Fixture>[] {
  const tests: readonly KitTest<LifecycleSubject>[] = [
    {
      name: "close resolves, also when it is called again, and when nothing was called before",
      async run({ subject }) {
        await settles("close", subject.close());
        await settles("the second close", subject.close());
      },
    },
    {
      name: "close may be called several times at once",
      async run({ subject, calls }) {
        await useAll(calls);
        await settles("close", Promise.all([subject.close(), subject.close(), subject.close()]));
      },
    },
    {
      name: "after close, every method rejects with CLOSED",
      async run({ subject, calls }) {
        await useAll(calls);
        await settles("close", subject.close());
        for (const [name, call] of Object.entries(calls)) {
          await rejectsWith("CLOSED", `${name} after close`, call);
        }
      },
    },
    {
      name: "what is called while it closes settles, and rejects with CLOSED if it rejects",
      async run({ subject, calls }) {
        const closing = subject.close();
        const begun = Object.entries(calls).map(([name, call]) => endsWell(`${name} during close`, call));
        await settles("close", closing);
        await Promise.all(begun);
      },
    },
    {
      name: "what is pending when it is closed settles",
      leaveOut: ({ pending }) => (pending === undefined ? "the fixture has no pending calls" : undefined),
      async run({ subject, pending = {} }) {
        const begun = Object.entries(pending).map(([name, call]) => endsWell(`${name}, pending`, call));
        await pause();
        await settles("close", subject.close());
        await Promise.all(begun);
      },
    },
    {
      name: "close leaves open what it was handed",
      leaveOut: ({ handedIn }) => (handedIn === undefined ? "the fixture hands nothing in" : undefined),
      async run({ subject, calls, handedIn }) {
        await useAll(calls);
        await settles("close", subject.close());
        await handedIn?.();
      },
    },
    {
      name: "close releases what was opened",
      leaveOut: ({ held }) => (held === undefined ? "the fixture does not count what is held" : undefined),
      async run({ subject, calls, pending = {}, held }) {
        await useAll(calls);
        const begun = Object.entries(pending).map(([name, call]) => endsWell(`${name}, pending`, call));
        await pause();
        await settles("close", subject.close());
        await Promise.all(begun);
        // Whoever counts from the other end of a connection hears of it a moment later.
        await until("nothing is held after close", async () => (await held?.()) === 0);
      },
    },
    {
      name: "a process that closed it ends by itself",
      leaveOut: ({ processThatCloses }) =>
        processThatCloses === undefined ? "the fixture starts no process" : undefined,
      async run({ processThatCloses }) {
        if (processThatCloses === undefined) return;
        assert.equal(await settles("the process", processThatCloses(), 20_000), 0, "its exit code");
      },
    },
  ];
  return tests.map(({ name, leaveOut, run }) => ({
    name,
    leaveOut: leaveOut && ((fixture) => leaveOut(subjectOf(fixture))),
    run: (fixture) => run(subjectOf(fixture)),
  }));
}

/** What must hold of anything that is closed. */
export const lifecycleKit: Kit<LifecycleFixture> = {
  contract: "Closable",
  tests: lifecycleTests((fixture: LifecycleFixture) => fixture),
};

async function useAll(calls: Calls): Promise<void> {
  for (const [name, call] of Object.entries(calls)) {
    await endsWell(`${name} before close`, call, ["UNSUPPORTED"]);
  }
}

/** Resolves when `call` has settled; the only rejections allowed are of these codes. */
async function endsWell(
  what: string,
  call: () => Promise<unknown>,
  allowed: readonly ("CLOSED" | "UNSUPPORTED")[] = ["CLOSED", "UNSUPPORTED"],
): Promise<void> {
  const error = await settles(
    what,
    (async () => call())().then(
      () => undefined,
      (reason: unknown) => reason,
    ),
  );
  if (error === undefined || allowed.some((code) => GatewayError.is(error, code))) return;
  assert.fail(`${what} rejected with ${nameOf(error)}`);
}
