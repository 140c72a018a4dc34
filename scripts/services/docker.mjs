// A Docker Engine of its own in a machine of its own, as close to the usual installation as a test can have it: Debian's
// dockerd and containerd, which outlive each other, with what they keep on disk.

import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { callEngine } from "../images/engine.mjs";
import { buildTestServer } from "../images/test-server-image.mjs";
import { Machine } from "./docker-machine.mjs";
import { freeRanges, rangeOf } from "./docker-range.mjs";
import { startSeededRegistry } from "./docker-seed.mjs";
import { makeTls } from "./docker-tls.mjs";
import { inFolder } from "./folder.mjs";
import { asService } from "./service.mjs";
import { isRoot } from "./user.mjs";

const tlsPort = 2376;
/** An engine gives its containers 15 s of its own. */
const stopMs = 30_000;
/** The kernel has room for 107 in the name of a socket. */
const longestSocket = 107;

/**
 * `directory` is made and kept when it is given; images, containers and networks that are found there go on. With
 * `liveRestore` containers stay while the engine is away. `registry` is one of `startRegistry`'s kind beside it.
 */
export async function startDocker({ name = "docker", liveRestore = false, registry = true, directory } = {}) {
  if (!isRoot) throw new Error("a Docker Engine needs root; run the launcher as root");
  return await inFolder({ name, isDurable: true, directory }, (folder, release) =>
    startIn(folder, { name, liveRestore, hasRegistry: registry, isKept: directory !== undefined, release }),
  );
}

async function startIn(folder, { name, liveRestore, hasRegistry, isKept, release }) {
  const socket = join(folder, "sock");
  if (socket.length > longestSocket) {
    throw new Error(`the socket ${socket} has too long a name; give a shorter TMPDIR or directory`);
  }
  const group = `modelgate-${randomBytes(6).toString("hex")}`;
  const machine = new Machine({ folder, group, ranges: await rangesFor(folder) });
  const containerd = machine.daemon({
    name: "containerd",
    command: "containerd",
    args: ["--config", "containerd.toml", "--root", join(folder, "containerd")],
  });
  const engine = machine.daemon({
    name: "dockerd",
    command: "dockerd",
    args: ["--config-file", "daemon.json"],
  });
  const isListening = () => existsSync(machine.pathOf("/run/containerd/containerd.sock"));
  const answers = async () => (await callEngine(socket, "/_ping")).status === 200;
  const start = async () => {
    if (!machine.isRunning) await machine.start();
    if (!containerd.isRunning) await containerd.start(isListening);
    if (!engine.isRunning) await engine.start(answers);
  };

  let registry;
  const crashHost = () => machine.crash();
  try {
    await machine.start();
    const { range } = machine;
    const tls = await makeTls(folder, range.engine);
    writeConfiguration(
      folder,
      configuration({ folder, socket, range, group, tls: tls.options, liveRestore }),
    );
    await start();
    const whenBuilt = buildTestServer(socket);
    const outcomes = await Promise.allSettled([
      whenBuilt,
      hasRegistry ? startSeededRegistry({ address: range.host, socket, whenBuilt }) : undefined,
    ]);
    const [image, seeded] = outcomes.map(({ value }) => value);
    registry = seeded?.registry;
    const failed = outcomes.find(({ status }) => status === "rejected");
    if (failed !== undefined) throw failed.reason;
    const host = `tcp://${range.engine}:${tlsPort}`;
    return asService({
      name,
      env: {
        DOCKER_SOCKET: socket,
        DOCKER_TLS_HOST: host,
        DOCKER_TLS_CERTS: tls.client,
        DOCKER_TEST_IMAGE: image,
        DOCKER_HOST_ADDRESS: range.host,
        DOCKER_PUBLISHED_ADDRESS: range.engine,
        ...registry?.env,
        ...(registry && { DOCKER_REGISTRY_IMAGE: seeded.image }),
      },
      details: {
        socket,
        range,
        directory: folder,
        log: join(folder, "dockerd.log"),
        registry,
        start,
        crashHost,
      },
      daemons: [engine],
      start,
      stop: () => engine.stop("SIGTERM", stopMs),
      async close() {
        await registry?.close();
        if (isKept) await engine.stop("SIGTERM", stopMs);
        await machine.close();
      },
      release,
    });
  } catch (error) {
    await registry?.close();
    await machine.close();
    throw error;
  }
}

function writeConfiguration(folder, options) {
  const lines = ["version = 2", 'disabled_plugins = ["io.containerd.grpc.v1.cri"]', ""];
  writeFileSync(join(folder, "containerd.toml"), lines.join("\n"));
  writeFileSync(join(folder, "daemon.json"), JSON.stringify(options, undefined, 2));
}

/** Networks that an engine made are in its range for good, so one with data comes back to the same. */
async function rangesFor(folder) {
  const file = join(folder, "machine.range");
  return existsSync(file)
    ? [rangeOf(Number(readFileSync(file, "utf8").split(".")[1]))]
    : await freeRanges(folder);
}

function configuration({ folder, socket, range, group, tls, liveRestore }) {
  return {
    "data-root": join(folder, "data"),
    "exec-root": "/run/docker",
    pidfile: "/run/docker.pid",
    containerd: "/run/containerd/containerd.sock",
    hosts: [`unix://${socket}`, `tcp://${range.engine}:${tlsPort}`],
    ...tls,
    bip: range.bridge,
    "default-address-pools": [{ base: range.pools, size: 24 }],
    "insecure-registries": [range.all],
    // Groups of our own, so that they can be found when everybody who knew of them is gone.
    "cgroup-parent": `/${group}`,
    "exec-opts": ["native.cgroupdriver=cgroupfs"],
    "live-restore": liveRestore,
  };
}
