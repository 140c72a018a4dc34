// The broker of a chaos run: it writes down what it keeps, so that a crash loses nothing and only what is meant to.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { startRabbitmq, startRedis } from "../services/index.mjs";

/** The broker that `pairing` names, as a service with a `place` for the run; `undefined` where it names none. */
export async function startBroker(pairing, rabbitmqVersion) {
  const [, name, objects] = pairing.split("+");
  if (objects === undefined) return undefined;
  const broker =
    name === "redis"
      ? await startRedis({ persistence: "aof" })
      : await startRabbitmq({ version: rabbitmqVersion });
  const kept = name === "redis" ? "appendonlydir" : "data";
  const control = {
    ...{ stop: broker.stop, kill: broker.kill, pause: broker.pause },
    ...{ resume: broker.resume, restart: broker.restart },
    async restartEmpty() {
      await broker.kill();
      rmSync(join(broker.directory, kept), { recursive: true });
      await broker.start();
    },
    alarm: broker.control && ((isOn) => setWatermark(broker, isOn)),
  };
  const { url, managementUrl, log, close } = broker;
  return { name, log, close, place: { name, url, managementUrl, control } };
}

/** With a megabyte for all, its memory is used up; 0.4 of the machine's is what it has by default. */
async function setWatermark({ control }, isOn) {
  await control("set_vm_memory_high_watermark", ...(isOn ? ["absolute", "1MB"] : ["0.4"]));
}
