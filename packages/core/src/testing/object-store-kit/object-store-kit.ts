import { bodyOf } from "../checks/bytes.ts";
import type { Kit } from "../kit/kit.ts";
import { lifecycleTests } from "../lifecycle-kit/lifecycle-kit.ts";
import { aborting } from "./aborting.ts";
import type { ObjectStoreFixture } from "./fixture.ts";
import { keys } from "./keys.ts";
import { listing } from "./listing.ts";
import { ranges } from "./ranges.ts";
import { reading } from "./reading.ts";
import { removing } from "./removing.ts";
import { sharing } from "./sharing.ts";
import { writing } from "./writing.ts";

/** What must hold of every `ObjectStore`. */
export const objectStoreKit: Kit<ObjectStoreFixture> = {
  contract: "ObjectStore",
  tests: [
    ...writing,
    ...reading,
    ...ranges,
    ...keys,
    ...removing,
    ...listing,
    ...aborting,
    ...sharing,
    ...lifecycleTests((fixture: ObjectStoreFixture) => {
      const { objects } = fixture;
      return {
        ...fixture,
        subject: objects,
        calls: {
          put: () => objects.put("k", bodyOf("x")),
          get: async () => {
            const iterator = (await objects.get("k"))?.body[Symbol.asyncIterator]();
            await iterator?.return?.();
          },
          stat: () => objects.stat("k"),
          list: () => objects.list(""),
          delete: () => objects.delete(["k"]),
          presign: () => objects.presign("k", 60_000),
        },
      };
    }),
  ],
};
