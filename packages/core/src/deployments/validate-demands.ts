import type { Room } from "../contracts/deployer.ts";
import type { ServerDemands } from "./api.ts";
import { refusal } from "./validate.ts";

const MAX_CPUS = 100_000;
const MAX_CARDS = 256;
const MAX_CARD_ID = 128;

/** A copy with nothing in it but what was asked for; `undefined` when that is nothing. */
export function checkDemands(demands: ServerDemands): ServerDemands | undefined {
  const limits = checkRoom("demands.limits", demands.limits);
  const reservations = checkRoom("demands.reservations", demands.reservations);
  for (const kind of ["memoryBytes", "cpus", "gpus"] as const) {
    const most = limits?.[kind];
    const kept = reservations?.[kind];
    if (most !== undefined && kept !== undefined && kept > most) {
      throw refusal(`demands.reservations.${kind}`, `is ${kept}, which is above the limit of ${most}`);
    }
  }
  const gpus = demands.gpus === undefined ? undefined : checkGpus(demands.gpus);
  if (limits === undefined && reservations === undefined && gpus === undefined) return undefined;
  return {
    ...(limits !== undefined && { limits }),
    ...(reservations !== undefined && { reservations }),
    ...(gpus !== undefined && { gpus }),
  };
}

function checkRoom(field: string, room: Partial<Room> | undefined): Partial<Room> | undefined {
  if (room === undefined) return undefined;
  const { memoryBytes, cpus, gpus } = room;
  if (memoryBytes !== undefined && !(Number.isSafeInteger(memoryBytes) && memoryBytes > 0)) {
    throw refusal(`${field}.memoryBytes`, `is ${memoryBytes}; give a whole number above 0`);
  }
  if (cpus !== undefined && !(cpus > 0 && cpus <= MAX_CPUS)) {
    throw refusal(`${field}.cpus`, `is ${cpus}; give a number above 0 and up to ${MAX_CPUS}`);
  }
  if (gpus !== undefined) checkCount(`${field}.gpus`, gpus);
  if (memoryBytes === undefined && cpus === undefined && gpus === undefined) return undefined;
  return {
    ...(memoryBytes !== undefined && { memoryBytes }),
    ...(cpus !== undefined && { cpus }),
    ...(gpus !== undefined && { gpus }),
  };
}

type Gpus = NonNullable<ServerDemands["gpus"]>;

function checkGpus(gpus: Gpus): Gpus {
  if (gpus === "all") return gpus;
  if (typeof gpus === "number") return checkCount("demands.gpus", gpus);
  if (gpus.length === 0 || gpus.length > MAX_CARDS) {
    throw refusal("demands.gpus", `lists ${gpus.length} cards; give 1 to ${MAX_CARDS}`);
  }
  for (const [index, id] of gpus.entries()) {
    if (id === "" || id.length > MAX_CARD_ID || /[^\x21-\x7e]/.test(id)) {
      throw refusal(`demands.gpus[${index}]`, `must have 1 to ${MAX_CARD_ID} visible ASCII characters`);
    }
  }
  return [...gpus];
}

function checkCount(field: string, count: number): number {
  if (Number.isInteger(count) && count >= 0 && count <= MAX_CARDS) return count;
  throw refusal(field, `is ${count}; give a whole number from 0 to ${MAX_CARDS}`);
}
