// Ceph's S3 gateway on a cluster of one monitor and one store. Debian has no other real S3 server, and fakes accept
// wrong secrets.

import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cephConfiguration } from "./ceph-conf.mjs";
import { Daemon, runTool } from "./daemon.mjs";
import { inFolder } from "./folder.mjs";
import { accepts, choosePort } from "./ports.mjs";
import { answersSigned } from "./s3-probe.mjs";
import { asService, onFreePort } from "./service.mjs";
import { makeCertificate } from "./tls.mjs";

const region = "us-east-1";
const quorumLimitMs = 30_000;

/**
 * By default the store is in memory and ends with its process, so `stop`, `kill`, `pause` and `restart` are about the
 * gateway, which is what a client meets, and no object is lost. With `durable` it is in a file (three times as long to
 * start), and they are about the gateway, the store and the monitor together.
 */
export function startCeph({ durable = false } = {}) {
  const choosePorts = async () => {
    const [monitor, gateway, tls] = await Promise.all([choosePort(), choosePort(), choosePort()]);
    return { monitor, gateway, tls };
  };
  return onFreePort(undefined, choosePorts, (ports) =>
    inFolder({ name: "ceph", isDurable: durable }, (folder, release) =>
      startIn(folder, { ports, durable, release }),
    ),
  );
}

async function startIn(folder, { ports, durable, release }) {
  for (const name of ["mon", "osd", "rgw", "run"]) mkdirSync(join(folder, name));
  const fsid = randomUUID();
  const certificate = await makeCertificate(folder);
  const configuration = cephConfiguration({ folder, fsid, ports, certificate, isFile: durable });
  writeFileSync(join(folder, "ceph.conf"), configuration);
  const keys = { accessKey: randomBytes(10).toString("hex"), secretKey: randomBytes(20).toString("hex") };
  const endpoint = `http://127.0.0.1:${ports.gateway}`;

  const run = (program, ...args) =>
    runTool(program, ["-c", join(folder, "ceph.conf"), ...args], { cwd: folder });
  const daemon = (program, ...args) => cephDaemon(folder, program, args);
  const monitor = daemon("ceph-mon", "-i", "a");
  const store = daemon("ceph-osd", "-i", "0");
  const gateway = daemon("radosgw", "-n", "client.rgw");
  const all = [monitor, store, gateway];
  let hasUser = false;
  const answers = () => {
    const dead = all.find((each) => !each.isRunning);
    if (dead !== undefined && dead !== gateway) throw dead.endedEarly();
    return hasUser ? answersSigned({ endpoint, ...keys, region }) : answersAtAll(endpoint);
  };
  // The gateway answers once the two others do, so they are not asked.
  const start = async (each) =>
    each.start(
      each === gateway ? answers : each === monitor ? () => accepts(ports.monitor) : async () => true,
    );
  try {
    await makeMonitor(folder, fsid, ports, run);
    await start(monitor);
    await makeStore(run);
    await start(store);
    await start(gateway);
    const user = ["--uid=test", "--display-name=test"];
    await run(
      "radosgw-admin",
      "user",
      "create",
      ...user,
      `--access-key=${keys.accessKey}`,
      `--secret-key=${keys.secretKey}`,
    );
    hasUser = true;
    if (!(await answers())) throw new Error("Ceph's gateway does not take the keys that were made");
  } catch (error) {
    for (const each of all) await each.kill();
    throw error;
  }

  // In the order of starting; an outage ends them the other way round.
  const touched = durable ? all : [gateway];
  return asService({
    name: "ceph",
    env: {
      S3_ENDPOINT: endpoint,
      S3_ACCESS_KEY: keys.accessKey,
      S3_SECRET_KEY: keys.secretKey,
      S3_REGION: region,
      S3_TLS_ENDPOINT: `https://127.0.0.1:${ports.tls}`,
      S3_CA_FILE: certificate.certificate,
    },
    details: { endpoint, ...keys, region, port: ports.gateway, directory: folder },
    daemons: touched,
    async start() {
      for (const each of touched) await start(each);
    },
    async stop() {
      for (const each of touched.toReversed()) await each.stop("SIGTERM");
    },
    // Nothing of it is wanted any more.
    close: () => Promise.all(all.map((each) => each.kill())),
    release,
  });
}

function cephDaemon(folder, program, args) {
  return new Daemon({
    name: program,
    command: program,
    args: ["-c", join(folder, "ceph.conf"), ...args, "-f"],
    cwd: folder,
    log: join(folder, `${program}.log`),
  });
}

async function makeMonitor(folder, fsid, ports, run) {
  const map = join(folder, "monmap");
  const address = `[v1:127.0.0.1:${ports.monitor}]`;
  await runTool("monmaptool", ["--create", "--fsid", fsid, "--addv", "a", address, map], { cwd: folder });
  await run("ceph-mon", "-i", "a", "--mkfs", "--monmap", map);
}

async function makeStore(run) {
  const id = randomUUID();
  await untilInQuorum(() => run("ceph", "osd", "new", id));
  await Promise.all([
    run("ceph", "osd", "crush", "add", "osd.0", "1.0", "host=h", "root=default"),
    run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", id),
  ]);
}

/** A monitor listens before it has elected itself, and refuses who comes in between. Asking twice makes one store. */
async function untilInQuorum(ask) {
  const untilMs = performance.now() + quorumLimitMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!/getting command descriptions/.test(error.message) || performance.now() > untilMs) throw error;
      await sleep(200);
    }
  }
}

/** Before there is a user, a refusal is all that can be had. */
async function answersAtAll(endpoint) {
  await (await fetch(endpoint, { signal: AbortSignal.timeout(2000) })).arrayBuffer();
  return true;
}
