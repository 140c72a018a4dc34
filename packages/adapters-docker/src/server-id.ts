/** The id of the server in a container: the same in every process that sees the engine, and in the deployer. */
export function serverIdOf(containerId: string): string {
  return `docker:${containerId}`;
}
