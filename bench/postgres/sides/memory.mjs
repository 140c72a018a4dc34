// The driver alone, over the ledger in memory: what the loop around the store costs, and so a ceiling for any store.
// It lives in one process, so it can be drained and nothing else.
import { load } from "../load-store.mjs";
import { fillLedger } from "../tasks.mjs";
import { consume, countSucceeded } from "./ours.mjs";

const { memoryLedger } = await load("memory");
const ledger = memoryLedger();

export const settings = "nothing durable";
export const prepare = async () => {};
export const fill = (_url, count) => fillLedger(ledger, 0, count);
export const openConsumer = async (_url, given) => consume({ ledger }, given);

export const countEnded = () => countSucceeded(ledger);
