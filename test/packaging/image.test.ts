import { createHash, randomBytes } from "node:crypto";
import { request } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createNlpServer, type NlpServer } from "../../examples/nlp-server/src/server.ts";
import { requireService } from "../../packages/adapters-storage/test/support/services.ts";
import { killRun } from "../../packages/http-server/test/kill/kill-run.ts";
import { callEngine } from "../../scripts/images/engine.mjs";
import { buildTarget } from "../../scripts/images/modelgate-image.mjs";
import { until } from "./support/engine.ts";
import { GatewayContainer } from "./support/gateway-container.ts";
import { startLargeModel } from "./support/large-model.ts";

const socket = requireService("DOCKER_SOCKET") ?? "";
const host = requireService("DOCKER_HOST_ADDRESS") ?? "";
const isLong = process.env["MODELGATE_LONG"] === "1";
const MIB = 1024 * 1024;

describe.skipIf(socket === "")(
  "the image, as nobody, on a read-only root, without capabilities, in 256 MB",
  () => {
    const unique = randomBytes(4).toString("hex");
    const image = `modelgate:test-${unique}`;
    let model: NlpServer;
    let modelUrl: string;

    beforeAll(async () => {
      model = createNlpServer({ engine: "echo", faults: true });
      [{ url: modelUrl }] = await Promise.all([
        model.listen(0, host),
        buildTarget(socket, "modelgate", image),
      ]);
    });
    afterAll(async () => {
      await model?.close();
      await callEngine(socket, `/images/${image}?force=1`, { method: "DELETE" });
    });

    async function gatewayFor(url: string): Promise<GatewayContainer> {
      const volume = `modelgate-${unique}-${randomBytes(2).toString("hex")}`;
      const gateway = await GatewayContainer.create({ socket, image, volume, modelUrl: url });
      onTestFinished(async () => {
        await gateway.remove();
        await callEngine(socket, `/volumes/${volume}`, { method: "DELETE" });
      });
      return gateway;
    }

    async function submit(gateway: GatewayContainer, body: string): Promise<string> {
      const target = `${gateway.url}/models/nlp/tasks/process`;
      const answer = await fetch(target, { method: "POST", headers: { "content-type": "text/plain" }, body });
      expect(answer.status).toBe(200);
      return ((await answer.json()) as { uuid: string }).uuid;
    }

    async function stateOf(gateway: GatewayContainer, id: string): Promise<string> {
      return ((await (await fetch(`${gateway.url}/tasks/${id}`)).json()) as { status: string }).status;
    }

    async function delayed(ms: number): Promise<void> {
      const body = JSON.stringify({ kind: "delay", next: null, ms });
      await fetch(`${modelUrl}/_faults`, { method: "DELETE" });
      if (ms > 0) await fetch(`${modelUrl}/_faults`, { method: "POST", body });
    }

    it("serves, turns healthy, and finishes what runs when it is told to stop", async () => {
      const gateway = await gatewayFor(modelUrl);
      const { container } = gateway;
      await gateway.startAndListen();
      const id = await submit(gateway, "Seen in Berlin.");
      await until("the task ends", async () => (await stateOf(gateway, id)) === "succeeded");
      await until(
        "it is healthy",
        async () => (await container.inspect()).State.Health?.Status === "healthy",
      );

      const { Config } = await container.inspect();
      expect(Config.User).toBe("10001:10001");
      expect(Config.Labels).toMatchObject({ "org.opencontainers.image.title": "Modelgate" });
      const { text } = await container.run("node", "-p", PROBE);
      expect(JSON.parse(text)).toEqual({
        ids: [10001, 10001],
        // Neither capabilities nor a way to get some.
        status: ["CapBnd:0000000000000000", "CapEff:0000000000000000", "NoNewPrivs:1"],
        root: "EROFS",
        data: "700",
        first: true,
        development: [],
      });

      await delayed(1000);
      const running = await submit(gateway, "Seen in Hamburg.");
      await until("the task runs", async () => model.stats().in_flight === 1);
      expect(await gateway.stop()).toBe(0);
      const { texts } = model.stats();
      await delayed(0);
      await gateway.startAndListen();
      expect(await stateOf(gateway, running)).toBe("succeeded");
      expect(model.stats().texts, "it was not begun anew").toEqual(texts);
      const health = await container.run("node", "/app/health.mjs", "8889");
      expect(health).toMatchObject({ code: 1, text: expect.stringContaining("ECONNREFUSED") });
    });

    it("loses nothing of what it accepted when it is killed at work", { timeout: 300_000 }, async () => {
      const gateway = await gatewayFor(modelUrl);
      const report = await killRun({ command: gateway, modelUrl, kills: isLong ? 25 : 2, seed: 7 });
      if (isLong) console.log(report);
      expect(report.violations).toEqual([]);
      expect(report.succeeded).toBe(report.acknowledged);
    });

    it("passes a large payload and a large result without ever holding them", {
      timeout: 600_000,
    }, async () => {
      const large = await startLargeModel(host);
      onTestFinished(() => large.close());
      const gateway = await gatewayFor(large.url);
      await gateway.startAndListen();
      const sizeBytes = (isLong ? 2048 : 96) * MIB;
      let isOver = false;
      let mostBytes = 0;
      const watching = (async () => {
        for (; !isOver; await sleep(100))
          mostBytes = Math.max(mostBytes, await gateway.container.memoryBytes());
      })();
      const fromMs = performance.now();
      const sent = createHash("sha256");
      const id = await upload(gateway.url, sizeBytes, sent);
      const uploadedMs = performance.now();
      await until("the task ends", async () => /succeeded|failed/.test(await stateOf(gateway, id)), 500_000);
      const endedMs = performance.now();
      expect(await stateOf(gateway, id)).toBe("succeeded");
      const received = createHash("sha256");
      const download = await fetch(`${gateway.url}/tasks/${id}?download=true`);
      for await (const chunk of download.body ?? []) received.update(chunk);
      isOver = true;
      await watching;
      const digest = sent.digest("hex");
      expect(large.digests).toEqual([digest]);
      expect(received.digest("hex")).toBe(digest);
      expect((await gateway.container.inspect()).State).toMatchObject({ Running: true, OOMKilled: false });
      expect(mostBytes).toBeGreaterThan(20 * MIB);
      expect(mostBytes, "in 2 GiB as in 96 MiB").toBeLessThan(120 * MIB);
      const seconds = [uploadedMs - fromMs, endedMs - uploadedMs, performance.now() - endedMs].map((ms) =>
        (ms / 1000).toFixed(1),
      );
      console.log(
        `${sizeBytes / MIB} MiB: up ${seconds[0]} s, run ${seconds[1]} s, down ${seconds[2]} s, at most ${Math.round(mostBytes / MIB)} MiB`,
      );
    });
  },
);

/** What the process in the container is, as JSON. */
const PROBE = `
const { readFileSync, statSync, writeFileSync, readdirSync } = require("node:fs");
const refusal = (work) => { try { work(); return "none"; } catch (error) { return error.code; } };
const status = readFileSync("/proc/1/status", "utf8").split("\\n").filter((line) => /^(CapEff|CapBnd|NoNewPrivs)/.test(line));
const packages = readdirSync("/app/node_modules");
JSON.stringify({
  ids: [process.getuid(), process.getgid()],
  status: status.map((line) => line.replaceAll(/\\s/g, "")).sort(),
  root: refusal(() => writeFileSync("/app/x", "")),
  data: (statSync("/data").mode & 0o777).toString(8),
  first: readFileSync("/proc/1/cmdline", "utf8").includes("modelgate.js"),
  development: ["vitest", "typescript", "tsup", "@types", "esbuild"].filter((name) => packages.includes(name)),
})`;

async function upload(url: string, sizeBytes: number, hash: ReturnType<typeof createHash>): Promise<string> {
  const piece = randomBytes(MIB);
  const pieces = Readable.from(
    (function* () {
      for (let sent = 0; sent < sizeBytes; sent += piece.length) {
        // No two pieces are alike, so that none can be left out or sent twice.
        piece.writeDoubleBE(sent, 0);
        const copy = Buffer.from(piece);
        hash.update(copy);
        yield copy;
      }
    })(),
  );
  const sent = request(`${url}/models/nlp/tasks/process`, {
    method: "POST",
    headers: { "content-type": "text/plain", "content-length": sizeBytes },
  });
  const answered = new Promise<string>((settle, fail) => {
    sent.on("error", fail).on("response", async (response) => {
      const text = Buffer.concat(await response.toArray()).toString();
      if (response.statusCode === 200) settle(JSON.parse(text).uuid);
      else fail(new Error(`${response.statusCode}: ${text}`));
    });
  });
  const [id] = await Promise.all([answered, pipeline(pieces, sent)]);
  return id;
}
