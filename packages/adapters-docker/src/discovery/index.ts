export type { DockerClientLike, DockerConnectionOptions, DockerTlsOptions } from "../connection/options.ts";
export { DEFAULT_LABELS, type DockerLabels } from "../labels.ts";
export { serverIdOf } from "../server-id.ts";
export type { AddressKind } from "./address.ts";
export { dockerDiscovery } from "./docker-discovery.ts";
export type { DockerDiscoveryOptions, DockerWarning } from "./options.ts";
