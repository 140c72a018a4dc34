import assert from "node:assert/strict";
import type { Wakeups, WakeupTopic } from "../../contracts/wakeups.ts";
import { leaveNoListener, rejectsWith, rejectWhenAborted } from "../checks/rejections.ts";
import { pause, settles, until } from "../checks/waiting.ts";
import type { Kit, KitFixture, KitTest } from "../kit/kit.ts";
import { type LifecycleParts, lifecycleTests } from "../lifecycle-kit/lifecycle-kit.ts";

/** Two clients of one backend that nobody else uses. */
export interface WakeupsFixture extends KitFixture, LifecycleParts {
  readonly wakeups: Wakeups;
  /** As another process has it: it shares nothing with `wakeups` but the backend. */
  readonly other: Wakeups;
}

type WakeupsTest = KitTest<WakeupsFixture>;

const TOPICS: readonly WakeupTopic[] = ["work", "ended", "deployments"];

/** Model names that something on the way might split, fold or quote. */
const ODD_NAMES = [
  "a",
  "A",
  "a b",
  " a ",
  "a,b",
  'a"b',
  "a'b",
  "a/b:c",
  "a\nb",
  "\u00e9",
  "\u4e16\u754c",
  "\u{1f600}",
];

/** What listeners heard, each hint as its names. */
class Heard {
  readonly hints: (readonly string[])[] = [];
  readonly listener = (names: readonly string[]): void => {
    this.hints.push([...names]);
  };

  has(name: string): boolean {
    return this.hints.some((names) => names.includes(name));
  }

  get names(): readonly string[] {
    return this.hints.flat();
  }
}

/** Hints may be lost, so that each is published until it was heard; a backend that works loses few. */
async function publishUntil(
  what: string,
  from: Wakeups,
  topic: WakeupTopic,
  names: readonly string[],
  isHeard: () => boolean,
): Promise<void> {
  await until(what, async () => {
    await settles("publish", from.publish(topic, names));
    await pause(5);
    return isHeard();
  });
}

/** Publishes, and waits until whoever can hear has heard, and a moment longer. */
async function publishToAll(
  { wakeups, other }: WakeupsFixture,
  topic: WakeupTopic,
  name: string,
): Promise<void> {
  const control = new Heard();
  const stop = other.subscribe(topic, control.listener);
  await publishUntil("a control listener hears", wakeups, topic, [name], () => control.has(name));
  stop();
  await pause();
}

const tests: readonly WakeupsTest[] = [
  {
    name: "what one client publishes, another hears",
    async run({ wakeups, other }) {
      for (const topic of TOPICS) {
        for (const [from, to] of [
          [wakeups, other],
          [other, wakeups],
        ] as const) {
          const heard = new Heard();
          const stop = to.subscribe(topic, heard.listener);
          await publishUntil(`"${topic}" is heard`, from, topic, ["m"], () => heard.has("m"));
          stop();
        }
      }
    },
  },
  {
    name: "a hint names what was published, letter by letter, and nothing else",
    async run({ wakeups, other }) {
      const heard = new Heard();
      other.subscribe("work", heard.listener);
      const isComplete = (): boolean => ODD_NAMES.every((name) => heard.has(name));
      await publishUntil("all names are heard", wakeups, "work", ODD_NAMES, isComplete);
      assert.deepEqual(
        heard.names.filter((name) => !ODD_NAMES.includes(name)),
        [],
        "names that nobody published",
      );
    },
  },
  {
    name: "a large set of names is published; it may be cut short, and holds nothing else",
    async run({ wakeups, other }) {
      const names = Array.from({ length: 20_000 }, (_, at) => `task-${String(at).padStart(8, "0")}`);
      const published = new Set(names);
      const heard = new Heard();
      other.subscribe("ended", heard.listener);
      await publishUntil("a hint is heard", wakeups, "ended", names, () => heard.hints.length > 0);
      assert.ok(
        heard.names.every((name) => published.has(name)),
        "it holds names that nobody published",
      );
    },
  },
  {
    name: "topics are told apart",
    async run(fixture) {
      const heard = TOPICS.map((topic) => ({ topic, by: new Heard() }));
      for (const { topic, by } of heard) fixture.other.subscribe(topic, by.listener);
      for (const topic of TOPICS) await publishToAll(fixture, topic, `of ${topic}`);
      for (const { topic, by } of heard)
        for (const other of TOPICS)
          if (other !== topic)
            assert.ok(
              !by.has(`of ${other}`),
              `a listener of "${topic}" heard what was published as "${other}"`,
            );
    },
  },
  {
    name: "every listener hears",
    async run({ wakeups, other }) {
      const heard = [new Heard(), new Heard(), new Heard()];
      for (const { listener } of heard) other.subscribe("work", listener);
      const haveAll = (): boolean => heard.every((each) => each.has("m"));
      await publishUntil("all of them have heard", wakeups, "work", ["m"], haveAll);
    },
  },
  {
    name: "a listener that was stopped hears nothing more, and the others do",
    async run(fixture) {
      const stopped = new Heard();
      const going = new Heard();
      const stop = fixture.other.subscribe("work", stopped.listener);
      fixture.other.subscribe("work", going.listener);
      const haveBoth = (): boolean => stopped.has("before") && going.has("before");
      await publishUntil("both hear", fixture.wakeups, "work", ["before"], haveBoth);
      stop();
      stop();
      await publishUntil("one hears", fixture.wakeups, "work", ["after"], () => going.has("after"));
      await publishToAll(fixture, "work", "later");
      assert.ok(!stopped.has("after") && !stopped.has("later"), "the stopped one has heard");
    },
  },
  {
    name: "a function that subscribed twice hears until both subscriptions are stopped",
    async run({ wakeups, other }) {
      const heard = new Heard();
      const stopFirst = other.subscribe("work", heard.listener);
      other.subscribe("work", heard.listener);
      stopFirst();
      stopFirst();
      await publishUntil("the second one hears", wakeups, "work", ["m"], () => heard.has("m"));
    },
  },
  {
    name: "a listener may stop itself while it is told",
    async run(fixture) {
      const heard = new Heard();
      const going = new Heard();
      const stop = fixture.other.subscribe("work", (names) => {
        heard.listener(names);
        stop();
      });
      fixture.other.subscribe("work", going.listener);
      const haveBoth = (): boolean => heard.has("m") && going.has("m");
      await publishUntil("both hear", fixture.wakeups, "work", ["m"], haveBoth);
      await publishToAll(fixture, "work", "later");
      assert.ok(!heard.has("later"), "the stopped one has heard");
    },
  },
  {
    name: "a listener that throws harms neither the others nor the publisher",
    async run({ wakeups, other }) {
      const heard = [new Heard(), new Heard()] as const;
      wakeups.subscribe("work", throwing);
      other.subscribe("work", heard[0].listener);
      other.subscribe("work", throwing);
      other.subscribe("work", heard[1].listener);
      for (const name of ["first", "second"]) {
        const haveAll = (): boolean => heard.every((each) => each.has(name));
        await publishUntil(`all of them hear "${name}"`, wakeups, "work", [name], haveAll);
      }
    },
  },
  {
    name: "a client that was closed hears nothing more, and the others do",
    async run({ wakeups, other }) {
      const closed = new Heard();
      const going = new Heard();
      wakeups.subscribe("work", closed.listener);
      other.subscribe("work", going.listener);
      await publishUntil("both hear", other, "work", ["before"], () => closed.has("before"));
      await settles("close", wakeups.close());
      await publishUntil("the other one hears", other, "work", ["after"], () => going.has("after"));
      await pause();
      assert.ok(!closed.has("after"), "the closed one has heard");
    },
  },
  {
    name: "subscribe throws CLOSED after close",
    async run({ wakeups }) {
      await settles("close", wakeups.close());
      await rejectsWith("CLOSED", "subscribe", async () => wakeups.subscribe("work", () => {}));
    },
  },
  {
    name: "publish may name nothing",
    async run({ wakeups }) {
      await settles("publish", wakeups.publish("work", []));
    },
  },
  {
    name: "a signal that was aborted before makes publish reject with its reason, and tells nobody",
    async run(fixture) {
      const heard = new Heard();
      fixture.other.subscribe("work", heard.listener);
      await rejectWhenAborted({
        publish: (options) => fixture.wakeups.publish("work", ["aborted"], options),
      });
      await publishToAll(fixture, "work", "m");
      assert.ok(!heard.has("aborted"), "it was published all the same");
    },
  },
  {
    name: "a call that is over has left no listener on the caller's signal",
    async run({ wakeups }) {
      await leaveNoListener({ publish: (options) => wakeups.publish("work", ["m"], options) });
    },
  },
];

/** What must hold of every `Wakeups`. */
export const wakeupsKit: Kit<WakeupsFixture> = {
  contract: "Wakeups",
  tests: [
    ...tests,
    ...lifecycleTests((fixture: WakeupsFixture) => ({
      ...fixture,
      subject: fixture.wakeups,
      calls: { publish: () => fixture.wakeups.publish("work", ["m"]) },
    })),
  ],
};

function throwing(): never {
  throw new Error("a listener must not throw; this one does");
}
