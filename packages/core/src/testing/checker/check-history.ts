import type { History, HistoryFacts, Violation } from "./history.ts";
import { type MakeJudge, replay } from "./replay.ts";
import { judgeBackground } from "./rules/background.ts";
import { judgeCancelling } from "./rules/cancelling.ts";
import { judgeDurability } from "./rules/durability.ts";
import { judgeEndings } from "./rules/endings.ts";
import { judgeExchanges } from "./rules/exchanges.ts";
import { judgeFailing } from "./rules/failing.ts";
import { judgeFencing } from "./rules/fencing.ts";
import { judgeOrder } from "./rules/order.ts";
import { judgeProgress } from "./rules/progress.ts";
import { judgeSingleRun } from "./rules/single-run.ts";
import { judgeSlots } from "./rules/slots.ts";

const JUDGES: readonly MakeJudge[] = [
  judgeDurability,
  judgeEndings,
  judgeFencing,
  judgeExchanges,
  judgeSingleRun,
  judgeBackground,
  judgeSlots,
  judgeOrder,
  judgeProgress,
  judgeFailing,
  judgeCancelling,
];

/**
 * Holds a history against what must always hold. Pure: the same history gives the same violations, in the order in
 * which they happened. Where the history comes from (a simulation, a contract kit, real processes) is no matter.
 */
export function checkHistory(history: History, facts: HistoryFacts): readonly Violation[] {
  return replay(history, facts, JUDGES);
}
