import type { Room, ServerDemands } from "@modelgate/core";
import type { FieldReader } from "./deployments-fields.ts";

const UNITS: Readonly<Record<string, number>> = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 };
const SHOWN = 32;

/**
 * What `deploy` of a body asks for, in the words of a compose file: `resources` with `limits` and `reservations`, and
 * cards as one entry of `reservations.devices`.
 */
export function readDemands(body: FieldReader): ServerDemands | undefined {
  const deploy = body.object("deploy", ["resources"]);
  if (deploy === undefined) return undefined;
  const resources = deploy.object("resources", ["limits", "reservations"]);
  const reservations = resources?.object("reservations", ["memory", "cpus", "devices"]);
  return {
    limits: readRoom(resources?.object("limits", ["memory", "cpus"])),
    reservations: readRoom(reservations),
    gpus: reservations === undefined ? undefined : readCards(reservations),
  };
}

function readRoom(fields: FieldReader | undefined): Partial<Room> | undefined {
  if (fields === undefined) return undefined;
  const memoryBytes = readMemory(fields);
  const cpus = readCpus(fields);
  return { ...(memoryBytes !== undefined && { memoryBytes }), ...(cpus !== undefined && { cpus }) };
}

function readMemory(fields: FieldReader): number | undefined {
  const text = fields.text("memory");
  if (text === undefined) return undefined;
  const bytes = memoryBytesOf(text);
  if (bytes !== undefined) return bytes;
  const msg = `Value error, Invalid memory format: ${shortened(text)}. Expected format like '4g', '512m', '2048m'`;
  return fields.refuse("memory", "value_error", msg);
}

/** `undefined` when the text is no size above 0. */
export function memoryBytesOf(text: string): number | undefined {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)([kmg]?)$/i.exec(text) ?? [];
  const bytes = Math.round(Number(number) * (UNITS[unit.toLowerCase()] ?? 1));
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined;
}

function readCpus(fields: FieldReader): number | undefined {
  const given = fields.textOrNumber("cpus");
  if (given === undefined) return undefined;
  const cpus = typeof given === "number" || /^\d+(\.\d+)?$/.test(given) ? Number(given) : Number.NaN;
  if (cpus > 0 && Number.isFinite(cpus)) return cpus;
  const msg = `Value error, Invalid cpus format: ${shortened(`${given}`)}. Expected format like '2', '0.5'`;
  return fields.refuse("cpus", "value_error", msg);
}

function readCards(reservations: FieldReader): ServerDemands["gpus"] {
  const names = ["driver", "count", "device_ids", "capabilities"];
  const devices = reservations.objects("devices", names);
  const [device, ...others] = devices ?? [];
  if (device === undefined) return undefined;
  const isCards = device.texts("capabilities")?.includes("gpu") === true;
  if (others.length > 0 || !isCards) {
    const msg = "Input should be one device, whose capabilities are ['gpu']";
    return reservations.refuse("devices", "value_error", msg);
  }
  const ids = device.texts("device_ids");
  const count = device.textOrNumber("count");
  if (ids !== undefined && count !== undefined) {
    return device.refuse("count", "value_error", "Input should have either count or device_ids");
  }
  if (ids !== undefined) return ids;
  return count === undefined || count === "all" ? "all" : device.integer("count");
}

/** The same as it is shown. `undefined` when nothing was asked for. */
export function demandsForm(demands: ServerDemands | undefined): Record<string, unknown> | undefined {
  if (demands === undefined) return undefined;
  const limits = roomForm(demands.limits);
  const devices = cardsForm(demands.gpus ?? demands.limits?.gpus ?? demands.reservations?.gpus);
  const kept = { ...roomForm(demands.reservations), ...(devices !== undefined && { devices }) };
  const resources = {
    ...(limits !== undefined && { limits }),
    ...(Object.keys(kept).length > 0 && { reservations: kept }),
  };
  return Object.keys(resources).length === 0 ? undefined : { resources };
}

function roomForm(room: Partial<Room> | undefined): Record<string, string> | undefined {
  const { memoryBytes, cpus } = room ?? {};
  if (memoryBytes === undefined && cpus === undefined) return undefined;
  return {
    ...(memoryBytes !== undefined && { memory: memoryForm(memoryBytes) }),
    ...(cpus !== undefined && { cpus: `${cpus}` }),
  };
}

/** In the largest unit of which it is a whole number. */
function memoryForm(bytes: number): string {
  for (const unit of ["g", "m", "k"]) {
    const size = UNITS[unit] ?? 1;
    if (bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}`;
}

function cardsForm(gpus: ServerDemands["gpus"]): readonly Record<string, unknown>[] | undefined {
  if (gpus === undefined) return undefined;
  const which = typeof gpus === "object" ? { device_ids: gpus } : { count: gpus };
  return [{ ...which, capabilities: ["gpu"] }];
}

function shortened(text: string): string {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}
