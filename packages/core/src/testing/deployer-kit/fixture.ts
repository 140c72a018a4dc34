import assert from "node:assert/strict";
import type {
  DeployedServer,
  DeployedState,
  Deployer,
  DeploymentIdentity,
  LogLine,
  LogOptions,
  ServerSpec,
} from "../../contracts/deployer.ts";
import type { Discovery } from "../../contracts/discovery.ts";
import { settles, until } from "../checks/waiting.ts";
import type { KitFixture, KitTest } from "../kit/kit.ts";
import type { LifecycleParts } from "../lifecycle-kit/lifecycle-kit.ts";

/** A server that no deployer made. */
export interface Stranger {
  readonly id: string;
  /** Whether it still is there and runs. */
  readonly isUntouched: () => Promise<boolean>;
}

/** What a process was really started with. */
export interface Received {
  /** The last ones are those that a test gave. */
  readonly arguments: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * A deployer, and the engine that it uses. The images of `spec`, `writer` and the like are on the engine already.
 * `close` removes every server whose installation or model begins with `installation`.
 */
export interface DeployerFixture extends KitFixture, LifecycleParts {
  readonly deployer: Deployer;
  /**
   * Nobody else uses it. The tests name their models and a second installation after it, so that it has to be of
   * lower-case letters, digits and hyphens, at most 30 of them.
   */
  readonly installation: string;
  /** A server that becomes ready, and runs until it is asked to stop. */
  readonly spec: (parts?: Partial<ServerSpec>) => ServerSpec;
  /** Program and arguments of that server. The tests add arguments, which it has to ignore. */
  readonly command: readonly string[];
  /** A server that writes these lines, and then ends with the exit code or, without one, runs until it is asked to stop. */
  readonly writer: (lines: readonly LogLine[], exitCode?: number) => ServerSpec;
  /** An image that is neither here nor in its registry. */
  readonly missingImage: string;
  /** Another deployer of the same engine, as another process has it. */
  readonly another?: (() => Promise<Deployer>) | undefined;
  /** Images that are in a registry and not here. */
  readonly registry?:
    | {
        /** Resolves the name of one more image that can be pulled. */
        readonly image: () => Promise<string>;
        /** How often the image was pulled. */
        readonly pulls?: ((image: string) => number | Promise<number>) | undefined;
      }
    | undefined;
  /** A server that can be made and cannot be started: a program that its image does not hold. */
  readonly unstartable?: (() => ServerSpec) | undefined;
  /** A server that takes more memory than it may. Needed when `capabilities.limits`. */
  readonly greedy?: (() => ServerSpec) | undefined;
  /** A server that goes on when it is asked to stop. */
  readonly stubborn?: (() => ServerSpec) | undefined;
  /** Starts a server that no deployer made and that answers to the name of this model. */
  readonly stranger?: ((model: string) => Promise<Stranger>) | undefined;
  /** Kills the process of a server, as its host does when memory runs out. */
  readonly kill?: ((id: string) => Promise<void>) | undefined;
  /** What the process of a running server was started with. */
  readonly received?: ((server: DeployedServer) => Promise<Received>) | undefined;
  /** Makes the engine not answer, runs `meanwhile`, and lets it answer again. Servers may go on or end. */
  readonly interrupt?: ((meanwhile: () => Promise<void>) => Promise<void>) | undefined;
  /** A discovery of the same engine. */
  readonly discovery?: Discovery | undefined;
}

export type DeployerTest = KitTest<DeployerFixture>;

/** Between asking a server to stop and killing it: more than a good one needs, and less than the patience of a test. */
export const GRACE_MS = 3000;

export const NO_OTHER = "the fixture has no other deployer";

export function modelOf({ installation }: DeployerFixture, name: string): string {
  return `${installation}-${name}`;
}

export function otherInstallationOf({ installation }: DeployerFixture): string {
  return `${installation}-other`;
}

export function identityOf(
  fixture: DeployerFixture,
  name: string,
  parts: Partial<DeploymentIdentity> = {},
): DeploymentIdentity {
  const model = modelOf(fixture, name);
  return { installation: fixture.installation, model, generation: `${model}-1`, kind: "auto", ...parts };
}

/** The two methods that take a spec. */
export function specCalls(
  deployer: Deployer,
): readonly ((spec: ServerSpec, identity: DeploymentIdentity) => Promise<unknown>)[] {
  return [
    (spec, identity) => deployer.prepare(spec, identity),
    (spec, identity) => deployer.create(spec, identity),
  ];
}

/** Makes a server of the model with this name. */
export async function make(
  fixture: DeployerFixture,
  name: string,
  spec: ServerSpec = fixture.spec(),
  parts: Partial<DeploymentIdentity> = {},
): Promise<DeployedServer> {
  return await settles("create", fixture.deployer.create(spec, identityOf(fixture, name, parts)));
}

export async function start(
  fixture: DeployerFixture,
  { id, installation }: DeployedServer,
  deployer: Deployer = fixture.deployer,
): Promise<void> {
  await settles("start", deployer.start(id, { installation }));
}

/** Makes a server and starts it. */
export async function run(
  fixture: DeployerFixture,
  name: string,
  spec?: ServerSpec,
  parts?: Partial<DeploymentIdentity>,
): Promise<DeployedServer> {
  const server = await make(fixture, name, spec, parts);
  await start(fixture, server);
  return server;
}

export async function remove(
  fixture: DeployerFixture,
  { id, installation }: DeployedServer,
  deployer: Deployer = fixture.deployer,
): Promise<void> {
  await settles("remove", deployer.remove(id, { installation, graceMs: GRACE_MS }));
}

export async function list(
  fixture: DeployerFixture,
  deployer: Deployer = fixture.deployer,
  installation: string = fixture.installation,
): Promise<readonly DeployedServer[]> {
  return await settles("list", deployer.list(installation));
}

/** The ids that a deployer lists, in order. */
export async function listedIds(...args: Parameters<typeof list>): Promise<string[]> {
  return (await list(...args)).map(({ id }) => id).sort();
}

export async function find(
  fixture: DeployerFixture,
  { id, installation }: DeployedServer,
): Promise<DeployedServer | undefined> {
  return (await list(fixture, fixture.deployer, installation)).find((server) => server.id === id);
}

/** Waits until the server is listed in this state, and resolves how it is listed. */
export async function reaches(
  fixture: DeployerFixture,
  server: DeployedServer,
  state: DeployedState,
): Promise<DeployedServer> {
  let found: DeployedServer | undefined;
  await until(`${server.name} is listed as ${state}`, async () => {
    found = await find(fixture, server);
    return found?.state === state;
  });
  assert.ok(found !== undefined);
  return found;
}

/** All that a server wrote. */
export async function linesOf(
  { deployer, installation }: Pick<DeployerFixture, "deployer" | "installation">,
  id: string,
  options: Partial<LogOptions> = {},
): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  const reading = async (): Promise<LogLine[]> => {
    for await (const { stream, text } of deployer.logs(id, { installation, ...options })) {
      lines.push({ stream, text });
    }
    return lines;
  };
  return await settles("logs", reading());
}

/** Waits until a server has written as many lines, and resolves them. */
export async function untilWritten(
  fixture: DeployerFixture,
  id: string,
  count: number,
  options: Partial<LogOptions> = {},
): Promise<LogLine[]> {
  let lines: LogLine[] = [];
  await until(`${count} lines can be read`, async () => {
    lines = await linesOf(fixture, id, { tail: 1000, ...options });
    return lines.length >= count;
  });
  return lines;
}
