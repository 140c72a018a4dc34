import type { Kit } from "../kit/kit.ts";
import { counting } from "./counting.ts";
import { delivering } from "./delivering.ts";
import { enqueuing } from "./enqueuing.ts";
import type { QueueFixture } from "./fixture.ts";
import { lifecycle } from "./lifecycle.ts";
import { ordering } from "./ordering.ts";

/** The rules of `Queue`, one test each. */
export const queueKit: Kit<QueueFixture> = {
  contract: "Queue",
  tests: [...ordering, ...enqueuing, ...delivering, ...counting, ...lifecycle],
};
