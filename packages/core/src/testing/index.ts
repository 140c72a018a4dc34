export { deployerKit } from "./deployer-kit/deployer-kit.ts";
export type { DeployerFixture, Received, Stranger } from "./deployer-kit/fixture.ts";
export { discoveryKit } from "./discovery-kit/discovery-kit.ts";
export type { DiscoveryFixture } from "./discovery-kit/fixture.ts";
export {
  describeKit,
  type Kit,
  type KitFixture,
  type KitTest,
  runKitTest,
  type TestRunner,
} from "./kit/kit.ts";
export type { LedgerFixture } from "./ledger-kit/fixture.ts";
export { ledgerKit } from "./ledger-kit/ledger-kit.ts";
export { type LifecycleFixture, type LifecycleParts, lifecycleKit } from "./lifecycle-kit/lifecycle-kit.ts";
export type { ObjectStoreFixture } from "./object-store-kit/fixture.ts";
export { objectStoreKit } from "./object-store-kit/object-store-kit.ts";
export type { QueueFixture } from "./queue-kit/fixture.ts";
export { queueKit } from "./queue-kit/queue-kit.ts";
export type { RecordStoreFixture } from "./record-store-kit/fixture.ts";
export { recordStoreKit } from "./record-store-kit/record-store-kit.ts";
export type {
  PassAct,
  ReceivedCall,
  ReceivedPass,
  ServerAct,
  ServerProtocolFixture,
} from "./server-protocol-kit/fixture.ts";
export { serverProtocolKit } from "./server-protocol-kit/server-protocol-kit.ts";
export type { TaskStoreFixture } from "./task-store-kit/fixture.ts";
export { taskStoreKit } from "./task-store-kit/task-store-kit.ts";
export type { MadeModel, RunSample, TrackingFixture } from "./tracking-kit/fixture.ts";
export { trackingKit } from "./tracking-kit/tracking-kit.ts";
export { type WakeupsFixture, wakeupsKit } from "./wakeups-kit/wakeups-kit.ts";
