import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { isDockerMissing, post, reach, runTestServer } from "./containers.ts";
import { leftOf, noteTree, root, run } from "./launched.ts";

/** Starts an engine, says where it is, and takes its machine down when it is told to. */
const script = `
  import { startDocker } from "${root}scripts/services/docker.mjs";
  const docker = await startDocker();
  process.on("SIGUSR2", () => docker.crashHost().then(() => console.log("down")));
  console.log("up " + JSON.stringify({ ...docker, pids: undefined, registry: undefined }));
  setInterval(() => {}, 1000);`;

function groupsOf(name: string): string[] {
  return readdirSync("/sys/fs/cgroup")
    .flatMap((each) => [join("/sys/fs/cgroup", each), join("/sys/fs/cgroup", each, name)])
    .filter((path) => path.endsWith(name) && existsSync(path));
}

async function isGone(isLeft: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 250 && isLeft(); tries += 1) await sleep(20);
  return !isLeft();
}

describe.skipIf(isDockerMissing())("a Docker Engine whose launcher is killed", () => {
  it.each([
    ["while one container runs and one is paused", false],
    ["while its machine is down", true],
  ])("leaves nothing %s", async (_when, isDown) => {
    const TMPDIR = mkdtempSync(join(tmpdir(), "modelgate-docker-"));
    onTestFinished(() => rmSync(TMPDIR, { recursive: true, force: true }));
    const launched = run(process.execPath, ["--input-type=module", "-e", script], { TMPDIR });
    const engine = JSON.parse((await launched.line("up")).slice("up ".length));
    const { address } = await runTestServer(engine);
    await reach(`http://${address}:8000/readyz`);
    const { id } = await runTestServer(engine);
    await post(engine, `/containers/${id}/pause`);
    const group = readFileSync(join(engine.directory, "machine.cgroup"), "utf8");
    expect(groupsOf(group)).not.toEqual([]);
    const tree = noteTree(launched.child.pid as number);
    expect(tree.length).toBeGreaterThan(10);
    if (isDown) {
      launched.child.kill("SIGUSR2");
      await launched.line("down");
    }
    launched.child.kill("SIGKILL");
    expect(await isGone(() => readdirSync(TMPDIR).length > 0)).toBe(true);
    expect(await leftOf(tree)).toEqual([]);
    expect(await isGone(() => groupsOf(group).length > 0)).toBe(true);
    expect(await isGone(() => existsSync(`/sys/class/net/${engine.range.link}`))).toBe(true);
    const routes = run("ip", ["route", "show", engine.range.all]);
    await routes.ended;
    expect(routes.output()).toBe("");
  });
});
