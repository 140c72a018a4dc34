import assert from "node:assert/strict";
import { settles } from "../checks/waiting.ts";
import type { TrackingFixture, TrackingTest } from "./fixture.ts";
import { ODD_TEXTS, toldOfOdd } from "./odd-texts.ts";

const claims = ({ tracking }: TrackingFixture): string | undefined =>
  tracking.capabilities.describes ? undefined : "it does not claim to describe";

export const describing: readonly TrackingTest[] = [
  {
    name: "describe tells what was written down beside a model",
    leaveOut: (fixture) =>
      claims(fixture) ?? (fixture.metadataOf === undefined ? "the fixture writes nothing down" : undefined),
    async run({ tracking, add, metadataOf }) {
      for (const made of [await add("one"), await add()]) {
        const told = await settles("describe", tracking.describe(made.uri));
        for (const [field, value] of Object.entries(metadataOf?.(made) ?? {})) {
          assert.deepEqual(told?.[field as keyof typeof told], value, field);
        }
      }
    },
  },
  {
    name: "describe tells undefined where nothing is",
    leaveOut: claims,
    async run({ tracking, add, unknownUris }) {
      await add("a-type");
      for (const unknown of unknownUris) {
        assert.equal(await settles("describe", tracking.describe(unknown)), undefined, unknown);
      }
      for (const text of ODD_TEXTS) {
        const told = await toldOfOdd("describe", text, tracking.describe(text));
        assert.equal(told, undefined, `describe(${JSON.stringify(text.slice(0, 20))})`);
      }
    },
  },
  {
    name: "who changes a description that was told changes nothing of the tracker's",
    leaveOut: claims,
    async run({ tracking, add }) {
      const { uri } = await add("a-type");
      const first = await settles("describe", tracking.describe(uri));
      const before = structuredClone(first);
      if (first !== undefined) Object.assign(first, { uuid: "changed" });
      assert.deepEqual(await settles("describe", tracking.describe(uri)), before);
    },
  },
];
