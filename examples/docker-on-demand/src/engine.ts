import { existsSync } from "node:fs";

/** A Docker Engine that has the image of the example server. */
export interface Engine {
  readonly socketPath: string;
  close(): Promise<void>;
}

interface Started {
  readonly socket: string;
  close(): Promise<void>;
}

/** Scripts of this repository have no types; a path that the compiler does not follow keeps it from asking for them. */
const SCRIPTS: string = new URL("../../../scripts/", import.meta.url).href;
const USUAL = "/var/run/docker.sock";

/**
 * The engine that the environment names, or the one of this machine, or one of its own in namespaces of its own. Puts
 * the image there, made of the Node.js that runs this and of the example server.
 */
export async function openEngine(say: (line: string) => void): Promise<Engine> {
  const named = socketOf(process.env) ?? (existsSync(USUAL) ? USUAL : undefined);
  if (named === undefined) say("There is no engine here: one is started, in namespaces of its own.");
  const own = named === undefined ? await startEngine() : undefined;
  const socketPath = named ?? own?.socket ?? USUAL;
  const close = async (): Promise<void> => await own?.close();
  try {
    const images = (await import(`${SCRIPTS}images/nlp-server-image.mjs`)) as {
      buildNlpServer(socket: string): Promise<string>;
    };
    await images.buildNlpServer(socketPath);
    return { socketPath, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function socketOf({ DOCKER_SOCKET, DOCKER_HOST }: NodeJS.ProcessEnv): string | undefined {
  if (DOCKER_SOCKET !== undefined && DOCKER_SOCKET !== "") return DOCKER_SOCKET;
  if (DOCKER_HOST === undefined || DOCKER_HOST === "") return undefined;
  if (DOCKER_HOST.startsWith("unix://")) return DOCKER_HOST.slice("unix://".length);
  throw new Error(
    "DOCKER_HOST names no socket; give unix:///PATH, since the image is built through a socket",
  );
}

async function startEngine(): Promise<Started> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    throw new Error("there is no Docker Engine; name one by DOCKER_HOST=unix:///PATH, or be root on Linux");
  }
  const services = (await import(`${SCRIPTS}services/index.mjs`)) as {
    startDocker(options: { registry: boolean }): Promise<Started>;
  };
  return await services.startDocker({ registry: false });
}
