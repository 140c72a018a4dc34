import { amending } from "./amending.ts";
import { bytes } from "./bytes.ts";
import { granting } from "./granting.ts";
import { holding } from "./holding.ts";
import { idempotency } from "./idempotency.ts";
import { leases } from "./leases.ts";
import { lifecycle } from "./lifecycle.ts";
import { order } from "./order.ts";
import { reading } from "./reading.ts";
import { repeating } from "./repeating.ts";
import { returning } from "./returning.ts";
import { settling } from "./settling.ts";
import { submitting } from "./submitting.ts";
import { sweeping } from "./sweeping.ts";
import type { BrokenLedger } from "./tools.ts";

export const BROKEN_LEDGERS: readonly BrokenLedger[] = [
  ...submitting,
  ...idempotency,
  ...bytes,
  ...granting,
  ...order,
  ...repeating,
  ...settling,
  ...returning,
  ...leases,
  ...holding,
  ...amending,
  ...sweeping,
  ...reading,
  ...lifecycle,
];
