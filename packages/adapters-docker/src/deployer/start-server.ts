import { type AdoptedOptions, GatewayError, type OperationOptions, systemClock } from "@modelgate/core";
import { sleep } from "@modelgate/core/adapter";
import type { EngineConnection } from "../connection/connection.ts";
import { EngineError } from "../connection/engine-error.ts";
import { type Container, inspectContainer, pathOf, requireOurs } from "./containers.ts";
import { errorOf, PROGRAM_MISSING, PROGRAM_REFUSED, startFailure } from "./failure.ts";
import type { DeployerSettings } from "./options.ts";

/** How long after its start a server is looked at once more. */
const LOOK_AGAIN_MS = 50;

export async function startServer(
  connection: EngineConnection,
  { labels, startTimeoutMs }: DeployerSettings,
  id: string,
  { installation, isAdopted, signal }: OperationOptions & AdoptedOptions & { readonly installation: string },
): Promise<void> {
  const container = await inspectContainer(connection, id, { signal });
  if (container === undefined) throw unknown(id);
  requireOurs(container, labels, { installation, isAdopted });
  if (container.State.Running) return;
  try {
    const path = pathOf(id, "start");
    await connection.call({ method: "POST", path, accept: [304], timeoutMs: startTimeoutMs, signal });
  } catch (error) {
    if (!EngineError.is(error)) throw error;
    if (error.status === 404 && (await inspectContainer(connection, id, { signal })) === undefined) {
      throw unknown(id);
    }
    throw errorOf(startFailure(error.reason), error);
  }
  await requireProgram(connection, id, signal);
}

/**
 * The engine starts an init process, which then finds that there is no program and ends as a shell would. That takes
 * some 20 ms. What ends thus later on is told by the listing.
 */
async function requireProgram(
  connection: EngineConnection,
  id: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const delayMs of [0, LOOK_AGAIN_MS]) {
    if (delayMs > 0) await sleep(systemClock, delayMs, signal);
    const state: Container["State"] | undefined = (await inspectContainer(connection, id, { signal }))?.State;
    if (state === undefined || state.Running) continue;
    if (state.ExitCode === 127) throw errorOf(PROGRAM_MISSING);
    if (state.ExitCode === 126) throw errorOf(PROGRAM_REFUSED);
    return;
  }
}

function unknown(id: string): GatewayError {
  return new GatewayError("DEPLOYMENT_UNKNOWN", `the engine has no container ${id.slice(0, 64)}`);
}
