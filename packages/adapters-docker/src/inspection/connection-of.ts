import type { DockerConnectionOptions } from "../connection/options.ts";

/** What of some options concerns the connection. */
export function connectionOf(options: DockerConnectionOptions): DockerConnectionOptions {
  const { client, socketPath, host, tls, apiVersion, timeoutMs } = options;
  return { client, socketPath, host, tls, apiVersion, timeoutMs };
}
