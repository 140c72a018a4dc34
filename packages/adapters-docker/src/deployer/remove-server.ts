import { GatewayError, type RemoveOptions, systemClock } from "@modelgate/core";
import { sleep } from "@modelgate/core/adapter";
import type { EngineConnection } from "../connection/connection.ts";
import { EngineError } from "../connection/engine-error.ts";
import type { DockerLabels } from "../labels.ts";
import { inspectContainer, pathOf, refusedBy, requireOurs } from "./containers.ts";

/** Beyond the grace, for an engine that has to kill, unmount and delete. */
const REMOVAL_MS = 60_000;
const LOOK_EVERY_MS = 50;

/** Stops and removes a container with its nameless volumes; resolves when it is gone. */
export async function removeServer(
  connection: EngineConnection,
  labels: DockerLabels,
  id: string,
  { installation, graceMs, isAdopted, signal }: RemoveOptions,
): Promise<void> {
  const container = await inspectContainer(connection, id, { signal });
  if (container === undefined) return;
  requireOurs(container, labels, { installation, isAdopted });
  const { Running, Restarting } = container.State;
  if (Running || Restarting) {
    await stop(connection, id, graceMs, signal);
  }
  const until = performance.now() + REMOVAL_MS;
  for (;;) {
    const refusal = await attempt(connection, id, signal);
    if ((await inspectContainer(connection, id, { signal })) === undefined) return;
    if (refusal !== undefined && refusal.status !== 409 && performance.now() > until)
      throw refusedBy(refusal);
    if (performance.now() > until) {
      throw new GatewayError("DEPLOYER_REFUSED", `the engine has not removed ${container.Name.slice(1)}`);
    }
    await sleep(systemClock, LOOK_EVERY_MS, signal);
  }
}

/** Resolves why not: somebody else is removing it, or a mount is still busy; both pass. */
async function attempt(
  connection: EngineConnection,
  id: string,
  signal: AbortSignal | undefined,
): Promise<EngineError | undefined> {
  try {
    await connection.call({
      method: "DELETE",
      path: pathOf(id),
      query: { force: true, v: true },
      accept: [404],
      timeoutMs: REMOVAL_MS,
      signal,
    });
    return undefined;
  } catch (error) {
    if (EngineError.is(error)) return error;
    throw error;
  }
}

/**
 * The engine wakes what is paused, and keeps its policy from starting it again. A refusal is no end: what comes next
 * kills it.
 */
async function stop(
  connection: EngineConnection,
  id: string,
  graceMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  // The engine counts in seconds.
  const seconds = Math.ceil(graceMs / 1000);
  try {
    await connection.call({
      method: "POST",
      path: pathOf(id, "stop"),
      query: { t: seconds },
      accept: [304, 404],
      timeoutMs: seconds * 1000 + REMOVAL_MS,
      signal,
    });
  } catch (error) {
    if (!EngineError.is(error)) throw error;
  }
}
