import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { callEngine } from "../../scripts/images/engine.mjs";
import { startDocker } from "../../scripts/services/docker.mjs";
import { inspect, isDockerMissing, isThere, post, reach, runTestServer } from "./containers.ts";

describe.skipIf(isDockerMissing())("outages of a Docker Engine", () => {
  const startedAt = async (url: string): Promise<number> => JSON.parse(await reach(url)).startedAt;

  it("with live restore take no container, until the host itself goes down", async () => {
    const docker = await startDocker({ liveRestore: true, registry: false });
    try {
      const { id, address, port } = await runTestServer(docker, [], { RestartPolicy: { Name: "always" } });
      const counts = `http://${address}:8000/counts`;
      const first = await startedAt(counts);
      for (const outage of ["stop", "kill"] as const) {
        await docker[outage]();
        await expect(callEngine(docker.socket, "/_ping")).rejects.toThrow(/ECONNREFUSED|ENOENT/);
        expect(await startedAt(counts)).toBe(first);
        await docker.start();
        expect((await inspect(docker, id)).State.Running).toBe(true);
        expect(await startedAt(counts)).toBe(first);
      }
      await docker.crashHost();
      expect(await isThere(counts)).toBe(false);
      expect(docker.pids).toEqual([]);
      await docker.start();
      expect(await startedAt(`http://${docker.range.engine}:${port}/counts`)).toBeGreaterThan(first);
    } finally {
      await docker.close();
    }
  });

  it("without it end the containers, and a frozen engine answers nobody", async () => {
    const docker = await startDocker({ registry: false });
    try {
      const { id, address } = await runTestServer(docker);
      const health = `http://${address}:8000/healthz`;
      await reach(health);
      await docker.pause();
      await expect(callEngine(docker.socket, "/_ping", { withinMs: 300 })).rejects.toThrow(/timeout|aborted/);
      expect(await isThere(health)).toBe(true);
      await docker.resume();
      await docker.restart();
      expect(await isThere(health)).toBe(false);
      expect((await inspect(docker, id)).State.Status).toBe("exited");
      await post(docker, `/containers/${id}/start`);
      await docker.kill();
      await docker.start();
      expect((await inspect(docker, id)).State.Running).toBe(false);
      await docker.pause();
      await docker.crashHost();
      await docker.start();
      expect((await inspect(docker, id)).State.Running).toBe(false);
    } finally {
      await docker.close();
    }
  });

  it("end with what is in a folder that was named, and the next one goes on with it", async () => {
    const directory = mkdtempSync(join(tmpdir(), "modelgate-docker-"));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const first = await startDocker({ registry: false, directory });
    await post(first, "/networks/create", { Name: "models" });
    const host = { NetworkMode: "models", RestartPolicy: { Name: "always" } };
    const { id, address: before } = await runTestServer(first, ["MODEL=kept"], host);
    await reach(`http://${before}:8000/info`);
    await first.close();
    const second = await startDocker({ registry: false, directory });
    try {
      expect(second.range).toEqual(first.range);
      const { State, NetworkSettings } = await inspect(second, id);
      expect(State.Running).toBe(true);
      const address = NetworkSettings.Networks["models"]?.IPAddress;
      expect(await reach(`http://${address}:8000/info`)).toContain("kept");
    } finally {
      await second.close();
    }
  });
});
