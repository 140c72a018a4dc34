import {
  type AdoptedOptions,
  type DeployedState,
  GatewayError,
  type OperationOptions,
} from "@modelgate/core";
import type { EngineConnection } from "../connection/connection.ts";
import { EngineError } from "../connection/engine-error.ts";
import type { DockerLabels } from "../labels.ts";
import { isAnothers } from "./own-labels.ts";

/** What is read of `GET /containers/{id}/json`. */
export interface Container {
  readonly Id: string;
  readonly Name: string;
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly Paused: boolean;
    readonly Restarting: boolean;
    readonly OOMKilled: boolean;
    readonly ExitCode: number;
    readonly Error: string;
  };
  readonly Config: {
    readonly Labels: Readonly<Record<string, string>> | null;
    readonly Env: readonly string[] | null;
    readonly Tty: boolean;
  };
  readonly HostConfig: { readonly Init?: boolean | null };
  readonly NetworkSettings: {
    readonly Networks: Readonly<Record<string, { readonly Aliases: readonly string[] | null }>> | null;
  };
}

/** What is read of one entry of `GET /containers/json`. */
export interface ListedContainer {
  readonly Id: string;
  readonly Names: readonly string[] | null;
  readonly Image: string;
  readonly ImageID: string;
  readonly State: string;
  /** For people; of what ended it has the exit code in parentheses. */
  readonly Status: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly NetworkSettings?: {
    readonly Networks: Readonly<
      Record<string, { readonly EndpointID: string; readonly NetworkID: string }>
    > | null;
  };
}

const ID = /^[0-9a-f]{64}$/;

/**
 * Resolves `undefined` for what is not there. What the engine would find by a name or half an id is not there either,
 * and nothing else is asked for: a path that leads elsewhere is answered with a redirect.
 */
export async function inspectContainer(
  connection: EngineConnection,
  id: string,
  { signal }: OperationOptions,
): Promise<Container | undefined> {
  if (!ID.test(id)) return undefined;
  try {
    const { body } = await connection.call({ path: pathOf(id, "json"), signal });
    return body as Container;
  } catch (error) {
    if (EngineError.is(error, 404)) return undefined;
    throw refusedBy(error);
  }
}

/** Throws `NOT_OURS` unless it carries the installation, or was taken over from another gateway. */
export function requireOurs(
  container: Container,
  labels: DockerLabels,
  { installation, isAdopted = false }: AdoptedOptions & { readonly installation: string },
): void {
  const written = container.Config.Labels ?? {};
  if (written[labels.installation] === installation) return;
  if (isAdopted && isAnothers(written, labels)) return;
  throw new GatewayError(
    "NOT_OURS",
    `${container.Name.slice(1)} was not started by this installation, and is left alone`,
  );
}

export async function listContainers(
  connection: EngineConnection,
  filters: Readonly<Record<string, readonly string[]>>,
  { signal }: OperationOptions,
): Promise<readonly ListedContainer[]> {
  try {
    const { body } = await connection.call({
      path: "/containers/json",
      query: { all: true, filters },
      signal,
    });
    return body as readonly ListedContainer[];
  } catch (error) {
    throw refusedBy(error);
  }
}

/** A container that is paused or between two starts counts as one that runs: it holds its room and its name. */
export function stateOf(status: string): DeployedState {
  if (status === "created") return "created";
  return ["running", "paused", "restarting"].includes(status) ? "running" : "stopped";
}

export function pathOf(id: string, what?: string): string {
  return `/containers/${encodeURIComponent(id)}${what === undefined ? "" : `/${what}`}`;
}

/** A refusal that means nothing in particular. */
export function refusedBy(error: unknown): unknown {
  if (!EngineError.is(error)) return error;
  return new GatewayError("DEPLOYER_REFUSED", error.message, {
    cause: error,
    details: { status: error.status },
  });
}
