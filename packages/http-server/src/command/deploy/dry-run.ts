import { GatewayError, type RecordStore } from "@modelgate/core";
import { CommandError } from "../command-error.ts";
import type { Call } from "../command-spec.ts";
import { deploymentsOptions } from "../docker/deployments-options.ts";
import { deployerOptions } from "../docker/engine-options.ts";
import { openDeployer } from "../docker/open-servers.ts";
import { EXIT } from "../exit-codes.ts";
import { openTracking } from "../open-tracking.ts";
import { durationText } from "../output/duration-text.ts";
import { writeJson, writeOut } from "../output/out.ts";
import { sizeText } from "../output/size-text.ts";
import { formatTable } from "../output/table.ts";
import { whereToGive } from "../settings/names.ts";
import type { Settings } from "../settings/settings.ts";
import { openRecords } from "./open-records.ts";
import type { Wish } from "./read-wish.ts";

/** What stands for an id that the first start makes. */
const NEW_INSTALLATION = "made-at-the-first-start";
const NEW_GENERATION = "made-for-each-deployment";

/** How a model would be deployed with these settings. */
interface Plan {
  readonly model: string;
  readonly name: string;
  readonly ttlMs: number | null;
  readonly room: { readonly memoryBytes: number; readonly cpus: number; readonly gpus: number };
  /** What the engine would be sent. */
  readonly container: Readonly<Record<string, unknown>>;
  readonly obstacles: readonly string[];
}

/** Writes what `deploy` would do with the settings of this call, which starts nothing and needs no gateway. */
export async function dryRun(wish: Wish, { options, settings }: Call): Promise<number> {
  const { records, problem, close } = await openRecords(settings);
  try {
    const plan = await planOf(wish, settings, records, problem === undefined ? [] : [problem]);
    await (options.has("json") ? writeJson({ ok: plan.obstacles.length === 0, ...plan }) : writePlan(plan));
    return plan.obstacles.length === 0 ? EXIT.ok : EXIT.failed;
  } catch (error) {
    if (!GatewayError.is(error)) throw error;
    const exit = error.code === "INVALID_REQUEST" ? EXIT.usage : EXIT.failed;
    throw new CommandError(exit, `It would not be deployed: ${error.message} (${error.code}).`);
  } finally {
    await close();
  }
}

async function planOf(
  wish: Wish,
  settings: Settings,
  records: RecordStore,
  problems: readonly string[],
): Promise<Plan> {
  const { model, modelUri, trackingId, ttlMs, memoryBytes, cpus, gpus } = wish;
  const [{ createGateway, staticDiscovery }, { planContainer }] = await Promise.all([
    import("@modelgate/core"),
    import("@modelgate/adapters-docker/deployer"),
  ]);
  const deployer = await openDeployer(settings);
  const tracking = await openTracking(settings);
  const discovery = staticDiscovery({ servers: [], probe: async () => ({ ready: false }) });
  try {
    // It is never started, so that it only reads.
    const { deployments } = createGateway({
      discovery,
      deployments: await deploymentsOptions(settings, { records, deployer, tracking }),
    });
    if (deployments === undefined) throw new Error("a gateway with the option has deployments");
    const limits = { ...(memoryBytes !== undefined && { memoryBytes }), ...(cpus !== undefined && { cpus }) };
    const { spec, ...plan } = await deployments.plan({
      ...{ model, modelUri, trackingId, ttlMs },
      demands: { limits, ...(gpus !== undefined && { gpus }) },
    });
    const { name, body, obstacles } = await planContainer(deployerOptions(settings), spec, {
      installation: settings["deployments.installation"] ?? (await keptInstallation(records)),
      ...{ model, generation: NEW_GENERATION, kind: "manual" },
      ...{ ttlMs: plan.ttlMs, modelUri: plan.modelUri },
    });
    return {
      ...{ model, name, ttlMs: plan.ttlMs ?? null, room: plan.room, container: body },
      obstacles: [...settingObstacles(model, settings), ...problems, ...plan.obstacles, ...obstacles],
    };
  } finally {
    await Promise.all([discovery.close(), deployer.close(), tracking?.close()]);
  }
}

/** What a gateway with these settings would not do at all. */
function settingObstacles(model: string, settings: Settings): string[] {
  const switches = ["docker.enabled", "deployments.enabled"] as const;
  const off = switches.filter((name) => !settings[name]);
  const isServed = settings.servers.some(({ name }) => name === model);
  return [
    ...off.map(
      (name) => `${name} is false, so that a gateway would deploy nothing; give ${whereToGive(name)}`,
    ),
    ...(isServed ? [`a server of model "${model}" is named in servers`] : []),
  ];
}

async function keptInstallation(records: RecordStore): Promise<string> {
  const { id } = ((await records.get("installation"))?.value ?? {}) as { readonly id?: unknown };
  return typeof id === "string" ? id : NEW_INSTALLATION;
}

interface ContainerBody {
  readonly Image: string;
  readonly Entrypoint?: readonly string[];
  readonly Env: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly HostConfig: Readonly<Record<string, unknown>>;
}

async function writePlan({ name, container, ttlMs, room, obstacles }: Plan): Promise<void> {
  const { Image, Entrypoint = [], Env, Labels, HostConfig } = container as unknown as ContainerBody;
  const sections: readonly (readonly [title: string, rows: readonly (readonly string[])[]])[] = [
    [
      "deployment",
      [
        ["container", name],
        ["image", Image],
        ["time to live", ttlMs === null ? "for ever" : durationText(ttlMs)],
        ["charged", `${sizeText(room.memoryBytes)}, ${room.cpus} CPUs, ${room.gpus} cards`],
      ],
    ],
    ["program", Entrypoint.map((argument) => [JSON.stringify(argument)])],
    ["environment", Env.map((variable) => [variable])],
    ["labels", Object.entries(Labels).map(([label, value]) => [label, value])],
    ["host", Object.entries(HostConfig).map(([option, value]) => [option, JSON.stringify(value)])],
    ["against it", obstacles.length === 0 ? [["nothing"]] : obstacles.map((obstacle) => [obstacle])],
  ];
  for (const [title, rows] of sections) {
    const lines = formatTable(rows).replaceAll(/^(?=.)/gm, "  ");
    await writeOut(`${title}:\n${lines}`);
  }
}
