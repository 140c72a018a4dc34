import type { Behaviours } from "./model-server.ts";
import type { Kind } from "./submit-training.ts";

/** What goes wrong for a while, and what happens to the trainings that are submitted meanwhile. */
export interface Round {
  readonly name: string;
  readonly behaviours: Behaviours;
  /** The only kind of training; any kind by default. */
  readonly kind?: Kind;
  /** Somebody begins a training of another kind besides the gateways, while the first is at work. */
  readonly hasStranger?: boolean;
  /** Those that run are asked to end. */
  readonly cancels?: boolean;
  /** Which process is killed while they run, and started again. */
  readonly kills?: "server" | "gateways";
  /** Nobody may be able to tell what became of it, so that `OUTCOME_UNKNOWN` is right. */
  readonly mayBeUnknown?: boolean;
}

/** Killed servers come first: it takes longest until it is certain what they took with them. */
export const ROUNDS: readonly Round[] = [
  { name: "server-killed", behaviours: [], kills: "server" },
  { name: "server-killed, lost", behaviours: ["lose-accept"], kills: "server", mayBeUnknown: true },
  { name: "orphan-run", behaviours: ["orphan-run"], mayBeUnknown: true },
  { name: "gateways-killed", behaviours: [], kills: "gateways" },
  { name: "lose-accept", behaviours: ["lose-accept"] },
  { name: "lose-accept, killed", behaviours: ["lose-accept:share=0.5"], kills: "gateways" },
  // Shorter than a run, so that the answer comes before the next round begins.
  { name: "slow-accept", behaviours: ["slow-accept:ms=300"] },
  { name: "slow-accept, killed", behaviours: ["slow-accept:ms=300"], kills: "gateways" },
  { name: "fail-accept", behaviours: ["fail-accept"] },
  { name: "html-accept", behaviours: ["html-accept"] },
  { name: "nameless-accept", behaviours: ["nameless-accept"] },
  {
    ...{ name: "failed-while-working", behaviours: ["failed-while-working"], mayBeUnknown: true },
    ...{ kind: "train_unsupervised", hasStranger: true },
  },
  { name: "parallel", behaviours: ["parallel"], kind: "train_unsupervised", hasStranger: true },
  { name: "deaf-cancel", behaviours: ["deaf-cancel"], kind: "train_supervised", cancels: true },
  { name: "cancel", behaviours: [], cancels: true },
  { name: "busy-after-end", behaviours: ["busy-after-end:ms=500"] },
  { name: "no-save", behaviours: ["no-save"] },
  { name: "none", behaviours: [] },
];
