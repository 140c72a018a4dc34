export { type MemoryDeployer, type MemoryDeployerOptions, memoryDeployer } from "./deployer.ts";
export { type MemoryEngine, memoryEngine } from "./deployer-engine.ts";
export type {
  MemoryBehaviour,
  MemoryEngineCall,
  MemoryEngineEvent,
  MemoryEngineMethod,
  MemoryEngineOptions,
  MemoryImage,
  MemoryServer,
  MemoryServerBehaviour,
} from "./deployer-types.ts";
export { type MemoryDiscovery, memoryDiscovery } from "./discovery.ts";
export { type MemoryLedgerOptions, memoryLedger } from "./ledger.ts";
export { type MemoryObjectStoreOptions, memoryObjectStore } from "./object-store.ts";
export {
  type MemoryAnswer,
  type MemoryCall,
  type MemoryHandler,
  type MemoryProtocolOptions,
  memoryProtocol,
} from "./protocol.ts";
export { type MemoryQueue, type MemoryQueueOptions, memoryQueue } from "./queue.ts";
export { memoryRecordStore } from "./record-store.ts";
export { type MemoryTaskStoreOptions, memoryTaskStore } from "./task-store.ts";
export { type MemoryTracking, memoryTracking } from "./tracking.ts";
export {
  type MemoryWakeupsHub,
  type MemoryWakeupsOptions,
  memoryWakeups,
  memoryWakeupsHub,
} from "./wakeups.ts";
