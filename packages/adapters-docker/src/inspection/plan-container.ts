import {
  type DeploymentIdentity,
  GatewayError,
  type OperationOptions,
  type ServerSpec,
} from "@modelgate/core";
import { EngineConnection } from "../connection/connection.ts";
import { checkIdentity, checkSpec } from "../deployer/check-spec.ts";
import { containerName, createBody } from "../deployer/create-body.ts";
import { Names } from "../deployer/names.ts";
import { checkDeployerOptions, type DockerDeployerOptions, withDefaults } from "../deployer/options.ts";
import { secretNames } from "../deployer/own-labels.ts";
import { secretsOf } from "../deployer/secret-mask.ts";
import { connectionOf } from "./connection-of.ts";
import { lookForImage } from "./look-for-image.ts";

/** The container that a deployer would make. */
export interface ContainerPlan {
  readonly name: string;
  /** What the engine would be sent, with secrets masked. */
  readonly body: Readonly<Record<string, unknown>>;
  /** What the engine would say against it now, in words. */
  readonly obstacles: readonly string[];
}

const MASK = "***";

/**
 * What `dockerDeployer` with these options would make of a spec. Only asks the engine, and changes nothing. Rejects
 * `INVALID_OPTIONS`, and `INVALID_REQUEST` for a spec that no engine could run.
 */
export async function planContainer(
  options: DockerDeployerOptions,
  given: ServerSpec,
  identity: DeploymentIdentity,
  { signal }: OperationOptions = {},
): Promise<ContainerPlan> {
  const settings = checkDeployerOptions(options);
  const connection = new EngineConnection(connectionOf(options));
  try {
    const spec = withDefaults(given, settings);
    checkSpec(spec, settings);
    checkIdentity(identity, settings);
    const names = new Names(connection, settings);
    const looks = [
      () => names.requireNetwork(spec, { signal }),
      () => names.requireFree(spec, identity, { signal }),
      () => lookForImage(connection, settings, spec, { signal }),
    ];
    const obstacles: string[] = [];
    for (const look of looks) {
      const error: unknown = await look().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      signal?.throwIfAborted();
      if (error === undefined) continue;
      if (!GatewayError.is(error)) throw error;
      obstacles.push(error.message);
      // Whoever does not answer once would only be waited for again.
      if (error.code === "DEPLOYER_UNAVAILABLE" || error.code === "INVALID_OPTIONS") break;
    }
    const body = withoutSecrets(createBody(spec, identity, settings));
    return { name: containerName(identity, settings), body, obstacles };
  } finally {
    connection.close();
  }
}

function withoutSecrets(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { Env, Labels } = body as { Env: readonly string[]; Labels: Readonly<Record<string, string>> };
  const secrets = secretNames(Labels);
  return {
    ...body,
    Env: Env.map((variable) => {
      const name = variable.slice(0, variable.indexOf("="));
      const value = variable.slice(name.length + 1);
      return secretsOf({ [name]: value }, secrets).length === 0 ? variable : `${name}=${MASK}`;
    }),
  };
}
