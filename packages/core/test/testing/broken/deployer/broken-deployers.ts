import { hinting } from "./hinting.ts";
import { living } from "./living.ts";
import { owning } from "./owning.ts";
import { preparing } from "./preparing.ts";
import { telling } from "./telling.ts";
import type { DeployerFault } from "./tools.ts";
import { writing } from "./writing.ts";

export const DEPLOYER_FAULTS: readonly DeployerFault[] = [
  ...living,
  ...owning,
  ...telling,
  ...preparing,
  ...writing,
  ...hinting,
];
