import { setTimeout as sleep } from "node:timers/promises";
import { callEngine } from "../../scripts/images/engine.mjs";
import { whyNot } from "../../scripts/services/packages.mjs";

/** Whether suites with an engine are to be skipped; where `CI` is true they fail instead. */
export function isDockerMissing(): boolean {
  const reason = whyNot("docker") ?? (process.getuid?.() === 0 ? undefined : "needs root");
  if (reason !== undefined) console.warn(`SKIPPED the Docker Engine: it ${reason}`);
  return reason !== undefined && process.env["CI"] !== "true";
}

/** An engine by its socket, with the image of the test server. */
export interface Engine {
  readonly socket: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface Container {
  readonly id: string;
  readonly address: string;
  /** Where its port 8000 is published. */
  readonly port: string;
}

export interface State {
  readonly Status: string;
  readonly Running: boolean;
  readonly OOMKilled: boolean;
  readonly ExitCode: number;
}

export async function post(engine: Engine, path: string, body?: object): Promise<unknown> {
  const answer = await callEngine(engine.socket, path, { method: "POST", body });
  return answer.bytes.length === 0 ? undefined : answer.json();
}

/** Starts a container of `image`, by default of the test server, with these switches. */
export async function runTestServer(
  engine: Engine,
  env: string[] = [],
  host: object = {},
  image = engine.env["DOCKER_TEST_IMAGE"],
): Promise<Container> {
  const { Id: id } = (await post(engine, "/containers/create", {
    Image: image,
    Env: env,
    HostConfig: { PortBindings: { "8000/tcp": [{ HostPort: "" }] }, ...host },
  })) as { Id: string };
  await post(engine, `/containers/${id}/start`);
  const { NetworkSettings } = await inspect(engine, id);
  const [network] = Object.values(NetworkSettings.Networks);
  const [published] = NetworkSettings.Ports["8000/tcp"] ?? [];
  return { id, address: network?.IPAddress ?? "", port: published?.HostPort ?? "" };
}

interface Inspected {
  readonly State: State;
  readonly NetworkSettings: {
    readonly Networks: Record<string, { IPAddress: string }>;
    readonly Ports: Record<string, { HostPort: string }[] | null>;
  };
}

export async function inspect(engine: Engine, id: string): Promise<Inspected> {
  return (await callEngine(engine.socket, `/containers/${id}/json`)).json();
}

/** What `url` answers with 200, within ten seconds. */
export async function reach(url: string): Promise<string> {
  for (const end = performance.now() + 10_000; ; ) {
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(500) });
      if (answer.ok) return await answer.text();
    } catch (error) {
      if (performance.now() > end) throw error;
    }
    if (performance.now() > end) throw new Error(`${url} did not answer 200`);
    await sleep(20);
  }
}

/** Whether `url` answers right now. */
export function isThere(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(500) }).then(
    () => true,
    () => false,
  );
}
