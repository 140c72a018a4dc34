import { GatewayError, type GatewayErrorCode, type OperationOptions } from "@modelgate/core";
import { EngineConnection } from "../connection/connection.ts";
import { EngineError } from "../connection/engine-error.ts";
import { type ListedContainer, listContainers, stateOf } from "../deployer/containers.ts";
import {
  checkDeployerOptions,
  type DeployerSettings,
  type DockerDeployerOptions,
} from "../deployer/options.ts";
import { connectionOf } from "./connection-of.ts";
import { lookForImage } from "./look-for-image.ts";

export interface DockerInspectionOptions extends DockerDeployerOptions {
  /** An image that is to be there, or in its registry. Default: none is looked for. */
  readonly image?: string | undefined;
  readonly pull?: "missing" | "always" | "never" | undefined;
  /** Whose containers are ours. Default: it is not known, and all deployed ones count as ours. */
  readonly installation?: string | undefined;
}

/** What was found out. `undefined` is what could not be. */
export interface DockerInspection {
  /** Whether an engine answered, whatever it said. */
  readonly isReached: boolean;
  readonly answerMs: number | undefined;
  /** Of the engine, such as `20.10.24`. */
  readonly version: string | undefined;
  /** The version of the API that is spoken. */
  readonly apiVersion: string | undefined;
  readonly system: string | undefined;
  /** What it can limit. */
  readonly limits:
    | { readonly memory: boolean; readonly swap: boolean; readonly cpus: boolean; readonly pids: boolean }
    | undefined;
  /** What it has. */
  readonly room: { readonly memoryBytes: number; readonly cpus: number } | undefined;
  /** Whether the network that servers join is there. */
  readonly isNetworkThere: boolean | undefined;
  readonly networks: readonly string[] | undefined;
  readonly image: "engine" | "registry" | undefined;
  /** Containers by what they are to us. */
  readonly containers:
    | {
        /** Model servers that run, whoever started them. */
        readonly servers: number;
        readonly ours: number;
        /** Deployed by another installation, in whatever state. */
        readonly others: number;
        readonly otherInstallations: number;
      }
    | undefined;
  /** The engine's clock less this machine's, to about a second. */
  readonly clockDifferenceMs: number | undefined;
  readonly problems: readonly DockerProblem[];
}

export interface DockerProblem {
  readonly step: "options" | "connection" | "info" | "networks" | "image" | "containers";
  readonly code: GatewayErrorCode;
  readonly message: string;
  /** The option that is wrong, where that can be told. */
  readonly field: string | undefined;
}

interface EngineInfo {
  readonly ServerVersion?: string;
  readonly OperatingSystem?: string;
  readonly MemoryLimit?: boolean;
  readonly SwapLimit?: boolean;
  readonly CpuCfsQuota?: boolean;
  readonly PidsLimit?: boolean;
  readonly MemTotal?: number;
  readonly NCPU?: number;
  readonly SystemTime?: string;
}

/** Asks the engine what deploying would need of it, each thing once. Changes nothing, and never throws for what it finds. */
export async function inspectDocker(
  options: DockerInspectionOptions = {},
  { signal }: OperationOptions = {},
): Promise<DockerInspection> {
  const problems: DockerProblem[] = [];
  const { image, pull, installation, ...own } = options;
  let settings: DeployerSettings;
  let connection: EngineConnection;
  try {
    settings = checkDeployerOptions(own);
    connection = new EngineConnection(connectionOf(own));
  } catch (error) {
    return { ...NOTHING, problems: [problemOf("options", error)] };
  }
  const attempt = async <T>(step: DockerProblem["step"], look: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await look();
    } catch (error) {
      signal?.throwIfAborted();
      problems.push(problemOf(step, error));
      return undefined;
    }
  };
  try {
    const beganMs = performance.now();
    const ping = await attempt("connection", () => connection.ping({ signal }));
    const [problem] = problems;
    if (ping === undefined) return { ...NOTHING, isReached: problem?.code === "DEPLOYER_REFUSED", problems };
    const answerMs = Math.round(performance.now() - beganMs);
    const get = async (path: string): Promise<unknown> => (await connection.call({ path, signal })).body;
    const info = (await attempt("info", () => get("/info"))) as EngineInfo | undefined;
    const networks = (await attempt("networks", () => get("/networks"))) as { Name: string }[] | undefined;
    const found = await attempt("containers", () => listContainers(connection, {}, { signal }));
    const names = networks?.map(({ Name }) => Name);
    return {
      isReached: true,
      answerMs,
      version: info?.ServerVersion,
      apiVersion: ping.apiVersion,
      system: info?.OperatingSystem,
      limits: info && limitsOf(info),
      room: info && { memoryBytes: info.MemTotal ?? 0, cpus: info.NCPU ?? 0 },
      isNetworkThere: settings.network === undefined ? undefined : names?.includes(settings.network),
      networks: names,
      image:
        image === undefined
          ? undefined
          : await attempt("image", () => lookForImage(connection, settings, { image, pull }, { signal })),
      containers: found && countsOf(found, settings, installation),
      clockDifferenceMs:
        info?.SystemTime === undefined ? undefined : Date.parse(info.SystemTime) - Date.now(),
      problems,
    };
  } finally {
    connection.close();
  }
}

const NOTHING: Omit<DockerInspection, "problems"> = {
  isReached: false,
  answerMs: undefined,
  version: undefined,
  apiVersion: undefined,
  system: undefined,
  limits: undefined,
  room: undefined,
  isNetworkThere: undefined,
  networks: undefined,
  image: undefined,
  containers: undefined,
  clockDifferenceMs: undefined,
};

/** An engine that does not say is taken to be able to. */
function limitsOf(info: EngineInfo): NonNullable<DockerInspection["limits"]> {
  return {
    memory: info.MemoryLimit ?? true,
    swap: info.SwapLimit ?? true,
    cpus: info.CpuCfsQuota ?? true,
    pids: info.PidsLimit ?? true,
  };
}

function countsOf(
  found: readonly ListedContainer[],
  { labels }: DeployerSettings,
  installation: string | undefined,
): DockerInspection["containers"] {
  const installations = found.map(({ Labels }) => Labels?.[labels.installation]);
  const deployed = installations.filter((each) => each !== undefined);
  const others = installation === undefined ? [] : deployed.filter((each) => each !== installation);
  const servers = found.filter(
    ({ State, Labels }) => stateOf(State) === "running" && Labels?.[labels.modelServe] !== undefined,
  );
  return {
    servers: servers.length,
    ours: deployed.length - others.length,
    others: others.length,
    otherInstallations: new Set(others).size,
  };
}

function problemOf(step: DockerProblem["step"], error: unknown): DockerProblem {
  if (GatewayError.is(error)) {
    const { field } = error.details;
    return {
      step,
      code: error.code,
      message: error.message,
      field: field === undefined ? undefined : `${field}`,
    };
  }
  // What stands before an engine may allow some calls and not others.
  if (EngineError.is(error)) {
    return { step, code: "DEPLOYER_REFUSED", message: error.message, field: undefined };
  }
  throw error;
}
