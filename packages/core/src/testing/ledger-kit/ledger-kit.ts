import type { Kit } from "../kit/kit.ts";
import { amending } from "./amending.ts";
import { badItems } from "./bad-items.ts";
import { bytes } from "./bytes.ts";
import { choosing } from "./choosing.ts";
import { counting } from "./counting.ts";
import { durability } from "./durability.ts";
import { fencing } from "./fencing.ts";
import type { LedgerFixture, LedgerTest } from "./fixture.ts";
import { granting } from "./granting.ts";
import { holding } from "./holding.ts";
import { idempotency } from "./idempotency.ts";
import { incarnations } from "./incarnations.ts";
import { leases } from "./leases.ts";
import { lifecycle } from "./lifecycle.ts";
import { limits } from "./limits.ts";
import { listing } from "./listing.ts";
import { order } from "./order.ts";
import { reading } from "./reading.ts";
import { recovering } from "./recovering.ts";
import { repeating } from "./repeating.ts";
import { retention } from "./retention.ts";
import { returning } from "./returning.ts";
import { settling } from "./settling.ts";
import { submitting } from "./submitting.ts";
import { sweeping } from "./sweeping.ts";
import { walking } from "./walking.ts";

/** What a ledger and a task store have to keep to alike. */
export const rowTests: readonly LedgerTest[] = [
  ...submitting,
  ...badItems,
  ...idempotency,
  ...bytes,
  ...granting,
  ...limits,
  ...repeating,
  ...incarnations,
  ...fencing,
  ...settling,
  ...returning,
  ...leases,
  ...recovering,
  ...holding,
  ...amending,
  ...sweeping,
  ...retention,
  ...reading,
  ...listing,
  ...walking,
  ...counting,
  ...durability,
  ...lifecycle,
];

/** The rules of `Ledger`, one test each. */
export const ledgerKit: Kit<LedgerFixture> = {
  contract: "Ledger",
  tests: [...rowTests, ...choosing, ...order],
};
