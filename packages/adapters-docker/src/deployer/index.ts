export {
  type DockerInspection,
  type DockerInspectionOptions,
  type DockerProblem,
  inspectDocker,
} from "../inspection/inspect-docker.ts";
export { type ContainerPlan, planContainer } from "../inspection/plan-container.ts";
export {
  type CmsAuthSettings,
  type CmsProxySettings,
  type CmsTemplateRequest,
  type CmsTemplateSettings,
  type CmsTrackingSettings,
  cmsTemplate,
} from "./cms-template.ts";
export { dockerDeployer } from "./deployer.ts";
export { type EndedState, endFailure, type Failure } from "./failure.ts";
export { type FindOthersOptions, findOthersServers, type OthersServer } from "./find-others.ts";
export type { DockerDeployerOptions, SpecDefaults } from "./options.ts";
export type { RegistryCredentials } from "./registry-credentials.ts";
