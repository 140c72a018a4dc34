/**
 * Every await of the runner, the composed ledger, the reconciler and the gateway's submit path, by name. The
 * simulation crashes each of them, and says which it did.
 */
export const CHECKPOINTS = [
  "gateway.payload",
  "gateway.submit",
  "runner.exchange",
  "runner.payload",
  "runner.mark-sent",
  "runner.call",
  "runner.answer",
  "runner.result",
  "runner.find-run",
  "runner.cancel-run",
  "runner.watch-pause",
  "runner.idle-check",
  "ledger.insert",
  "ledger.enqueue-new",
  "ledger.apply",
  "ledger.enqueue-returned",
  "ledger.take",
  "ledger.list-due",
  "ledger.claim",
  "ledger.settle-deliveries",
  "ledger.amend",
  "ledger.requeue",
  "ledger.remove",
  "ledger.sweep",
  "ledger.enqueue-swept",
  "reconciler.sweep",
  "reconciler.stats",
  "reconciler.forget-objects",
  "reconciler.incarnation",
  "reconciler.look",
  "reconciler.list",
  "reconciler.audit",
  "reconciler.compare",
  "reconciler.remove",
  "reconciler.enqueue",
] as const;

export type CheckpointName = (typeof CHECKPOINTS)[number];

/** Wraps one await. The default hands the promise back as it is; a simulation may let it never settle. */
export type Checkpoint = <T>(name: CheckpointName, promise: Promise<T>) => Promise<T>;

export const noCheckpoint: Checkpoint = (_name, promise) => promise;
