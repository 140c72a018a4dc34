export { mlflowTracking } from "./mlflow-tracking.ts";
export type { MlflowTrackingOptions } from "./options.ts";
