import type { ApiFacts, Operation } from "../operation.ts";
import { deploymentOperations } from "./deployments.ts";
import { listTasksOperation } from "./list-tasks.ts";
import { modelOperations } from "./models.ts";
import { onDemandOperations } from "./on-demand.ts";
import { passOperations } from "./pass.ts";
import { serviceOperations } from "./service.ts";
import { submitOperation } from "./submit.ts";
import { taskOperations } from "./tasks.ts";

/** All that the gateway answers. Of examples that change something, those that come later go by what earlier ones did. */
export function describeOperations(facts: ApiFacts): readonly Operation[] {
  return [
    submitOperation(facts),
    ...taskOperations(),
    listTasksOperation(),
    ...modelOperations(),
    ...deploymentOperations(),
    ...onDemandOperations(),
    ...passOperations(),
    ...serviceOperations(),
  ];
}
