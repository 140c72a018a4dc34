import { noWrap, type Wrap } from "../wrap.ts";
import { CORE_FAULTS } from "./core-faults.ts";
import { LEDGER_FAULTS } from "./ledger-faults.ts";
import type { PlantedFault } from "./planted-fault.ts";

export type { Patch, PlantedFault } from "./planted-fault.ts";

export const PLANTED_FAULTS: readonly PlantedFault[] = [...CORE_FAULTS, ...LEDGER_FAULTS];

export function plantedFault(name: string): PlantedFault | undefined {
  return PLANTED_FAULTS.find((fault) => fault.name === name);
}

export function wrapOf(fault: PlantedFault | undefined): Wrap {
  return { ...noWrap, ...fault?.wrap };
}
