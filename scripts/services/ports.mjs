// Ports for servers that come back on the same one. The kernel gives out the ports of its ephemeral range to every
// outgoing connection, so one of those could be gone while its server is down; ours are taken from below that range.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";

const lowest = 10_000;
const tries = 200;
/** What this process has given out: a server that is about to start does not hold its port yet. */
const given = new Set();

function ephemeralStart() {
  try {
    return Number.parseInt(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8"), 10);
  } catch {
    return 32_768;
  }
}

async function isFree(port) {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}

/** Resolves to a port of 127.0.0.1 that nobody listens on. */
export async function choosePort() {
  const end = Math.max(ephemeralStart(), lowest + 1000);
  for (let count = 0; count < tries; count += 1) {
    const port = lowest + Math.floor(Math.random() * (end - lowest));
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
  throw new Error(`none of ${tries} ports between ${lowest} and ${end} is free on 127.0.0.1`);
}

/** Resolves to true when somebody listens on `port`, and rejects otherwise. */
export async function accepts(port) {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } finally {
    socket.destroy();
  }
}
