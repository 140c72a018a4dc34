import type { QueueFault } from "../../queue-fixtures.ts";
import type { Broken } from "../failures.ts";
import { delivering } from "./delivering.ts";
import { entering } from "./entering.ts";
import { telling } from "./telling.ts";

export const BROKEN_QUEUES: readonly Broken<QueueFault>[] = [...entering, ...delivering, ...telling];
