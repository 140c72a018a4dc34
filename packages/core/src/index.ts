export { CHECKPOINTS, type Checkpoint, type CheckpointName } from "./checkpoint.ts";
export { systemClock } from "./clock.ts";
export { type ComposeLedgerOptions, composeLedger } from "./composed-ledger/compose-ledger.ts";
export type { Clock } from "./contracts/clock.ts";
export type { ByteStream, Closable, OperationOptions, Page } from "./contracts/common.ts";
export type {
  AdoptedOptions,
  AdoptedServer,
  DeployedServer,
  DeployedState,
  Deployer,
  DeploymentIdentity,
  DeploymentKind,
  ListServersOptions,
  LogLine,
  LogOptions,
  LogTarget,
  PrepareOptions,
  PrepareProgress,
  RemoveOptions,
  Room,
  ServerSpec,
  VolumeMount,
} from "./contracts/deployer.ts";
export type { Discovery, DiscoveryChange, ModelServer, ServerState } from "./contracts/discovery.ts";
export type {
  Amendment,
  AmendOutcome,
  AttemptRef,
  EndedTask,
  ExchangeOutcome,
  ExchangeReply,
  ExchangeRequest,
  FailingLane,
  GetOptions,
  Grant,
  HoldRef,
  IdempotencyRef,
  LaneStats,
  Ledger,
  LedgerCapabilities,
  LedgerStats,
  ListRequest,
  NewTask,
  OrphanHold,
  RenewRef,
  ServerWant,
  Settlement,
  SubmitOutcome,
  SweepReply,
  SweepRequest,
  TaskFilter,
} from "./contracts/ledger.ts";
export type { ByteRange, ObjectRead, ObjectStat, ObjectStore } from "./contracts/object-store.ts";
export type {
  Delivery,
  DeliverySettlement,
  Queue,
  QueueCapabilities,
  QueueEntry,
  QueueLane,
  QueueStats,
  QueueStatsOptions,
  TakeRequest,
} from "./contracts/queue.ts";
export type { JsonValue, RecordStore, StoredRecord } from "./contracts/record-store.ts";
export type {
  CallOutcome,
  HeaderList,
  OperationSpec,
  PassedAnswer,
  PassedRequest,
  PassOutcome,
  PassRule,
  PassThrough,
  ProbeReport,
  RunQuery,
  RunReport,
  ServerAnswer,
  ServerCall,
  ServerProtocol,
  UpgradeOutcome,
} from "./contracts/server-protocol.ts";
export {
  type BodyRef,
  type ResultRef,
  TASK_STATES,
  type TaskError,
  type TaskIdentity,
  type TaskProgress,
  type TaskRecord,
  type TaskState,
  type TerminalState,
} from "./contracts/task.ts";
export type {
  ApplyReply,
  ApplyRequest,
  Claim,
  ClaimOutcome,
  ClaimRequest,
  DueLane,
  DueListRequest,
  TaskStore,
} from "./contracts/task-store.ts";
export type {
  ModelMetadata,
  RunFilter,
  TrackedModel,
  TrackedRun,
  TrackedRunState,
  Tracking,
} from "./contracts/tracking.ts";
export type { Wakeups, WakeupTopic } from "./contracts/wakeups.ts";
export { type AdoptOutcome, type AdoptRequest, adoptServer } from "./deployments/adopt.ts";
export type {
  AutoPolicy,
  Configuration,
  ConfigurationChanges,
  Configurations,
  Deployment,
  DeploymentError,
  DeploymentPlan,
  DeploymentState,
  Deployments,
  DeploymentsOptions,
  DeployRequest,
  ManualPolicy,
  NewConfiguration,
  ServerDemands,
  SettleOptions,
  TemplateRequest,
} from "./deployments/api.ts";
export {
  type BringConfigurationsOptions,
  type BroughtConfigurations,
  bringConfigurations,
} from "./deployments/bring-configurations.ts";
export { type StaticDiscovery, type StaticDiscoveryOptions, staticDiscovery } from "./discovery/static.ts";
export type { StaticServer } from "./discovery/static-servers.ts";
export { ERROR_CODES, GatewayError, type GatewayErrorCode, type GatewayErrorOptions } from "./errors.ts";
export type { AttemptEvent, GatewayEvents, TaskEvent } from "./events.ts";
export { createGateway } from "./gateway.ts";
export type {
  Gateway,
  GatewayOptions,
  Health,
  ModelStatus,
  OperationInfo,
  PassRequest,
  ServerStatus,
  StopOptions,
  SubmitRequest,
  SubmitResult,
  TaskResult,
  WaitOptions,
} from "./gateway-api.ts";
export { type CmsProtocolOptions, cmsProtocol } from "./protocols/cms.ts";
export type { CmsCredentials } from "./protocols/cms-logins.ts";
export {
  type SweepObjectsOptions,
  type SweepObjectsReport,
  sweepObjects,
} from "./reconciler/sweep-objects.ts";
