import {
  type DeployedServer,
  type DeploymentIdentity,
  GatewayError,
  type OperationOptions,
  type ServerSpec,
  systemClock,
} from "@modelgate/core";
import { sleep } from "@modelgate/core/adapter";
import type { EngineConnection } from "../connection/connection.ts";
import { EngineError } from "../connection/engine-error.ts";
import { type Container, inspectContainer } from "./containers.ts";
import { containerName, createBody } from "./create-body.ts";
import { createFailure, errorOf } from "./failure.ts";
import type { Images } from "./images.ts";
import { deployedServer } from "./list-servers.ts";
import type { DeployerSettings } from "./options.ts";

/** An engine keeps a name from the first moment of making a container, and shows who has it at the last. */
const HOLDER_TRIES = 20;
const HOLDER_PAUSE_MS = 50;

/** Makes the container. That its name is free of others is for the caller to see to; the engine has the last word. */
export async function createServer(
  connection: EngineConnection,
  images: Images,
  settings: DeployerSettings,
  spec: ServerSpec,
  identity: DeploymentIdentity,
  { signal }: OperationOptions,
): Promise<DeployedServer> {
  const { digest } = await images.require(spec.image, { signal });
  const name = containerName(identity, settings);
  const request = {
    method: "POST",
    path: "/containers/create",
    query: { name, platform: settings.platform },
    body: createBody(spec, identity, settings),
    signal,
  } as const;
  for (let isAgain = false; ; isAgain = true) {
    try {
      const { body } = await connection.call(request);
      const id = (body as { Id: string }).Id;
      return deployedServer(identity, { id, name, state: "created", imageDigest: digest });
    } catch (error) {
      if (!EngineError.is(error)) throw error;
      if (error.status !== 409) throw errorOf(createFailure(error.status, error.reason), error);
      const holder = await holderIn(connection, error.reason, { signal });
      // Whoever was about to have it has failed.
      if (holder === undefined && !isAgain) continue;
      throw nameTaken(identity, name, holder, settings);
    }
  }
}

/** Who has the name, by the engine's own words: a listing by names would show it later. */
async function holderIn(
  connection: EngineConnection,
  reason: string,
  options: OperationOptions,
): Promise<Container | undefined> {
  const id = /by container "?([0-9a-f]{64})/.exec(reason)?.[1];
  if (id === undefined) return undefined;
  for (let left = HOLDER_TRIES; left > 0; left -= 1) {
    const holder = await inspectContainer(connection, id, options);
    if (holder !== undefined) return holder;
    await sleep(systemClock, HOLDER_PAUSE_MS, options.signal);
  }
  return undefined;
}

function nameTaken(
  { installation }: DeploymentIdentity,
  name: string,
  holder: Container | undefined,
  { labels }: DeployerSettings,
): GatewayError {
  const isOurs = holder?.Config.Labels?.[labels.installation] === installation;
  const whose = isOurs
    ? "another server of this installation"
    : "a container that this installation did not start";
  return new GatewayError("NAME_TAKEN", `the name "${name}" is taken by ${whose}`, {
    details: isOurs && holder !== undefined ? { holder: holder.Id } : {},
  });
}
