import { setTimeout as sleep } from "node:timers/promises";
import { call } from "../../support/http-client.ts";
import { Cluster } from "./cluster.ts";

const READY_MS = 30_000;

/** Two gateways and, beside what they deploy, servers that somebody else runs. */
export interface OutageWorld {
  readonly cluster: Cluster;
  /** Runs always, by the engine's own doing. */
  readonly steady: string;
  /** Is not started again when it stopped. */
  readonly leaving: string;
  /** Deployed by hand, for ever. */
  readonly manual: string;
  /** Deployed for whoever asks. */
  readonly auto: string;
}

export async function openOutageWorld(enginePath: string, image: string): Promise<OutageWorld> {
  const cluster = await Cluster.open({
    ...{ enginePath, image, members: ["gateway", "gateway"], serverArgs: ["--process-ms", "20"] },
    settings: { maxWaitMs: 20_000, deployments: { drainMs: 1_000 }, docker: { timeoutMs: 2_000 } },
  });
  try {
    const [steady, leaving] = await Promise.all([
      runStatic(cluster, image, "steady", "always"),
      runStatic(cluster, image, "leaving", "no"),
    ]);
    const manual = `${cluster.part.id}-manual`;
    await deploy(cluster, manual);
    const auto = await cluster.onDemandModel(3_600);
    await until("all are found", async () =>
      (await isListedBy(cluster, [steady, leaving, manual])).every(Boolean),
    );
    return { cluster, steady, leaving, manual, auto };
  } catch (error) {
    console.log(cluster.report());
    await cluster.close();
    throw error;
  }
}

/** Starts a server that the gateways only find; resolves to its model's name. */
export async function runStatic(
  { part }: Cluster,
  image: string,
  what: string,
  restart: "always" | "no",
): Promise<string> {
  const name = `${part.id}-${what}`;
  const container = await part.docker.createContainer({
    ...{ name, Image: image, Labels: { [part.label]: "medcat_snomed" }, Env: ["PROCESS_MS=20"] },
    HostConfig: { RestartPolicy: { Name: restart } },
  });
  await container.start();
  return name;
}

/** Asks for a server that is never removed. */
export async function deploy(
  cluster: Cluster,
  model: string,
): Promise<{ status: number; retryAfter: unknown }> {
  const { status, headers } = await cluster.ask(`/models/${model}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model_uri: "s3://models/m", ttl: -1 }),
  });
  return { status, retryAfter: headers["retry-after"] };
}

export async function remove(
  cluster: Cluster,
  model: string,
): Promise<{ status: number; retryAfter: unknown }> {
  const { status, headers } = await cluster.ask(`/models/${model}`, { method: "DELETE" });
  return { status, retryAfter: headers["retry-after"] };
}

/** For each gateway, whether it lists all of these as running. */
export async function isListedBy(cluster: Cluster, models: readonly string[]): Promise<readonly boolean[]> {
  const lists = await runningBy(cluster);
  return lists.map((running) => models.every((model) => running.includes(model)));
}

/** For each gateway, what it lists as running. */
export async function runningBy({ urls }: Cluster): Promise<readonly (readonly string[])[]> {
  return await Promise.all(
    urls.map(async (url) => {
      const { json } = await call(url, "/models/");
      return (json.running as { readonly name: string }[]).map(({ name }) => name);
    }),
  );
}

/** A way to end a container's process that needs no engine. */
export async function exitOf({ part }: Cluster, model: string): Promise<() => Promise<void>> {
  const { NetworkSettings } = await part.docker.getContainer(model).inspect();
  const [address] = Object.values(NetworkSettings.Networks).map(({ IPAddress }) => IPAddress);
  return async () => {
    // It hangs up instead of an answer.
    await fetch(`http://${address}:8000/exit?code=1`, {
      method: "POST",
      signal: AbortSignal.timeout(1_000),
    }).catch(() => {});
  };
}

/** When a container's server says it became ready; `undefined` while it does not answer. */
export async function readyAtMs({ part }: Cluster, model: string): Promise<number | undefined> {
  try {
    const { NetworkSettings, State } = await part.docker.getContainer(model).inspect();
    // What ended while an engine with live-restore was away still shows its address, which is another's by now.
    if (!State.Running) return undefined;
    const [address] = Object.values(NetworkSettings.Networks).map(({ IPAddress }) => IPAddress);
    const answer = await fetch(`http://${address}:8000/counts`, { signal: AbortSignal.timeout(500) });
    return ((await answer.json()) as { readyAt: number | null }).readyAt ?? undefined;
  } catch {
    return undefined;
  }
}

export async function until(
  what: string,
  isSo: () => Promise<boolean>,
  limitMs: number = READY_MS,
): Promise<void> {
  const untilMs = performance.now() + limitMs;
  while (!(await isSo())) {
    if (performance.now() > untilMs)
      throw new Error(`it took more than ${Math.round(limitMs)} ms until ${what}`);
    await sleep(25);
  }
}

/** Containers that no deployment stands for, and that are none of somebody else's. */
export async function strays({ cluster, steady, leaving }: OutageWorld): Promise<readonly string[]> {
  const { deployments } = (await cluster.ask("/deployments")).json as {
    deployments: readonly { readonly name: string }[];
  };
  const known = new Set([steady, leaving, ...deployments.map(({ name }) => name)]);
  const names = (await cluster.containers()).map(({ Names }) => Names[0]?.slice(1) ?? "");
  return names.filter((name) => !known.has(name));
}
