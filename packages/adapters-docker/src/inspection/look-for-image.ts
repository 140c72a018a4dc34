import { GatewayError, type OperationOptions, type ServerSpec } from "@modelgate/core";
import type { EngineConnection } from "../connection/connection.ts";
import { EngineError } from "../connection/engine-error.ts";
import { refusedBy } from "../deployer/containers.ts";
import { errorOf, pullFailure } from "../deployer/failure.ts";
import { parseImageName } from "../deployer/image-name.ts";
import { Images } from "../deployer/images.ts";
import type { DeployerSettings } from "../deployer/options.ts";
import { headerOf } from "../deployer/pull.ts";
import { credentialsFor } from "../deployer/registry-credentials.ts";

/** An engine asks a registry for a name's digest, and pulls nothing. Some take seconds for that. */
const REGISTRY_MS = 15_000;

/** Where an image is. Rejects `IMAGE_MISSING` or `REGISTRY_REFUSED` when a pull would fail. */
export async function lookForImage(
  connection: EngineConnection,
  settings: DeployerSettings,
  { image, pull }: Pick<ServerSpec, "image" | "pull">,
  { signal }: OperationOptions,
): Promise<"engine" | "registry"> {
  const isHere = (await new Images(connection, settings).find(image, { signal })) !== undefined;
  if (isHere && pull !== "always") return "engine";
  if (pull === "never") {
    throw new GatewayError(
      "IMAGE_MISSING",
      `the engine does not have the image ${image}, and pull is "never"`,
    );
  }
  const { registry } = parseImageName(image);
  const auth = await credentialsFor(registry, settings.credentials);
  try {
    await connection.call({
      path: `/distribution/${encodeURIComponent(image)}/json`,
      headers: auth === undefined ? {} : { "X-Registry-Auth": headerOf(auth) },
      timeoutMs: REGISTRY_MS,
      signal,
    });
    return "registry";
  } catch (error) {
    if (!EngineError.is(error)) throw refusedBy(error);
    throw errorOf(pullFailure(error.status, error.reason, auth !== undefined), error);
  }
}
