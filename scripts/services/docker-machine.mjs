// A machine for one Docker Engine: namespaces of processes, mounts and network, with a cable to ours. An engine owns the
// bridges and the firewall of the network that it runs in, so two of them in one would break each other, and ours.

import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Daemon, runTool } from "./daemon.mjs";
import { treeOf } from "./proc.mjs";

const firstProcess = fileURLToPath(new URL("docker-machine.sh", import.meta.url));
const groupScript = fileURLToPath(new URL("docker-cgroups.sh", import.meta.url));
const linkGoneMs = 10_000;
const killMs = 5000;
const pollMs = 10;
/** Reads the number when it starts, since it is another one after each crash of the machine. */
const enter = `exec nsenter --target "$(cat machine.pid)" --net --mount --pid -- env -C "$PWD" "$@"`;

/**
 * A process in the machine. Only `nsenter` is our child; it waits for the process, passes no signal on, and has to live
 * longer: else nobody asks how the process ended, and to the next one it looks as if it still ran.
 */
class Inside extends Daemon {
  async stop(signal, withinMs) {
    if (!this.isRunning) return;
    this.#send(signal);
    await super.stop(0, withinMs);
  }

  async kill() {
    if (!this.isRunning) return;
    this.#send("SIGKILL");
    await this.resume();
    const untilMs = performance.now() + killMs;
    while (this.isRunning && performance.now() < untilMs) await sleep(pollMs);
    await super.kill();
  }

  #send(signal) {
    const [, inner] = treeOf(this.pid);
    try {
      if (inner !== undefined) process.kill(inner, signal);
    } catch {} // Gone in the meantime.
  }
}

export class Machine {
  #folder;
  #ranges;
  #range;
  #group;
  #first;
  #pid;
  #inside = [];
  #isDown = false;

  /** `ranges` are tried in order; the first that nobody has is kept. `group` is its control group's name. */
  constructor({ folder, ranges, group }) {
    this.#folder = folder;
    this.#ranges = ranges;
    this.#group = group;
    this.#first = new Daemon({
      name: "docker's machine",
      command: "unshare",
      args: [
        ...["--pid", "--mount", "--net", "--fork", "--kill-child=KILL", "--mount-proc"],
        ...["sh", firstProcess, join(folder, "machine.up")],
      ],
      cwd: folder,
      log: join(folder, "machine.log"),
    });
    // By which the guard finds the control groups of one whose launcher was killed.
    writeFileSync(join(folder, "machine.cgroup"), group);
  }

  get range() {
    return this.#range;
  }

  get isRunning() {
    return this.#first.isRunning;
  }

  /** Where a file of the machine is seen from here. */
  pathOf(path) {
    return `/proc/${this.#pid}/root${path}`;
  }

  /** A daemon that runs in here. */
  daemon({ name, command, args, env }) {
    const log = join(this.#folder, `${name}.log`);
    const all = ["-c", enter, "sh", command, ...args];
    const daemon = new Inside({ name, command: "sh", args: all, cwd: this.#folder, log, env });
    this.#inside.push(daemon);
    return daemon;
  }

  async start() {
    const up = join(this.#folder, "machine.up");
    rmSync(up, { force: true });
    await this.#first.start(async () => existsSync(up));
    [, this.#pid] = treeOf(this.#first.pid);
    writeFileSync(join(this.#folder, "machine.pid"), String(this.#pid));
    this.#range = await this.#plugIn();
    const { engine, all, host, link } = this.#range;
    writeFileSync(join(this.#folder, "machine.range"), all);
    await runTool("ip", ["address", "add", `${host}/24`, "dev", link], { cwd: this.#folder });
    await runTool("ip", ["link", "set", link, "up"], { cwd: this.#folder });
    // The engine finds the chain and adds its own rules behind: containers can be called by their addresses.
    await this.#run(`
      ip address add ${engine}/24 dev eth0
      ip link set eth0 up
      iptables --new-chain DOCKER-USER
      iptables --append DOCKER-USER --in-interface eth0 --jump ACCEPT`);
    await runTool("ip", ["route", "add", all, "via", engine], { cwd: this.#folder });
    if (this.#isDown) await this.#routeNowhere("delete");
  }

  /** A loss of power that lasts: calls to the machine's addresses fail, and go nowhere else meanwhile. */
  async crash() {
    if (!this.#isDown) await this.#routeNowhere("add");
    await this.#end();
  }

  async close() {
    await this.#end();
    if (this.#isDown) await this.#routeNowhere("delete");
    rmSync(join(this.#folder, "machine.cgroup"), { force: true });
  }

  async #end() {
    await this.#ofGroup("thaw");
    // All at once: the machine waits for each process to be asked how it ended, which a frozen one's `nsenter` does not do.
    await Promise.all([this.#first, ...this.#inside].map((daemon) => daemon.kill()));
    await this.#ofGroup("remove");
    const untilMs = performance.now() + linkGoneMs;
    while (this.#range !== undefined && existsSync(`/sys/class/net/${this.#range.link}`)) {
      if (performance.now() > untilMs) throw new Error(`the cable ${this.#range.link} does not go away`);
      await sleep(pollMs);
    }
  }

  /** Whoever makes the cable of a range has it: the kernel gives each name once. */
  async #plugIn() {
    const ranges = this.#range === undefined ? this.#ranges : [this.#range];
    for (const range of ranges) {
      const peer = ["peer", "name", "eth0", "netns", String(this.#pid)];
      try {
        await runTool("ip", ["link", "add", range.link, "type", "veth", ...peer], { cwd: this.#folder });
        return range;
      } catch (error) {
        if (!/File exists/.test(error.message)) throw error;
      }
    }
    throw new Error(`no range of addresses is free of ${ranges.map(({ all }) => all).join(", ")}`);
  }

  async #routeNowhere(action) {
    const route = ["unreachable", this.#range.all, "metric", "9999"];
    await runTool("ip", ["route", action, ...route], { cwd: this.#folder });
    this.#isDown = action === "add";
  }

  #run(script) {
    return runTool("sh", ["-c", enter, "sh", "sh", "-ec", script], { cwd: this.#folder });
  }

  #ofGroup(action) {
    return runTool("sh", [groupScript, action, this.#group], { cwd: this.#folder });
  }
}
