// An engine of the bench's own, and what a person with plain Docker calls would do: create, start, ask until it is
// ready, call. Nothing of ours is between.
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { callEngine } from "../../scripts/images/engine.mjs";
import { startDocker } from "../../scripts/services/index.mjs";

export const TEXT = "Seen in Berlin.";
const ASK_EVERY_MS = 20;

/** Starts an engine with the image of the test server; `socket` leads to it. `close` ends it with all its containers. */
export async function openEngine() {
  const docker = await startDocker({ name: "bench", registry: false });
  const { socket } = docker;
  const image = docker.env.DOCKER_TEST_IMAGE;
  const post = (path, body) => callEngine(socket, path, { method: "POST", body });
  let made = 0;

  return {
    socket,
    image,
    pids: docker.pids,
    /** Creates a container with the test server; gives its id. */
    async create({ env = [], labels = {}, host = {} } = {}) {
      made += 1;
      const { json } = await post(`/containers/create?name=plain-${made}`, {
        Image: image,
        Env: env,
        Labels: labels,
        ExposedPorts: { "8000/tcp": {} },
        HostConfig: { Init: true, CapDrop: ["ALL"], ...host },
      });
      return json().Id;
    },
    act: (id, action) => post(`/containers/${id}/${action}`),
    remove: (id) => callEngine(socket, `/containers/${id}?force=1&v=1`, { method: "DELETE" }),
    /** Containers that run with this label. */
    async running(label) {
      const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
      return (await callEngine(socket, `/containers/json?filters=${filters}`)).json();
    },
    async urlOf(id) {
      const { NetworkSettings } = (await callEngine(socket, `/containers/${id}/json`)).json();
      const [network] = Object.values(NetworkSettings.Networks);
      return `http://${network.IPAddress}:8000`;
    },
    /** The ids that were created, of all that the engine has told since `since`, in seconds. */
    async created(since) {
      const filters = encodeURIComponent(JSON.stringify({ type: ["container"], event: ["create"] }));
      const until = Date.now() / 1000;
      const { bytes } = await callEngine(socket, `/events?since=${since}&until=${until}&filters=${filters}`);
      return bytes
        .toString("utf8")
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line).Actor.ID);
    },
    close: () => docker.close(),
  };
}

/** The names and times, in milliseconds since 1970, of events of containers as the engine tells them. */
export async function listen(socket, actions) {
  const times = new Map();
  const filters = encodeURIComponent(JSON.stringify({ type: ["container"], event: actions }));
  const sent = request({ socketPath: socket, path: `/events?filters=${filters}`, agent: false }).end();
  const answer = await new Promise((resolve, reject) => sent.once("response", resolve).once("error", reject));
  sent.on("error", () => {});
  let rest = "";
  answer
    .setEncoding("utf8")
    .on("error", () => {})
    .on("data", (chunk) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const { Action, Actor, timeNano } = JSON.parse(line);
        times.set(`${Action} ${Actor.ID}`, Number(timeNano) / 1e6);
      }
    });
  return { times, close: () => sent.destroy() };
}

const agent = new Agent({ keepAlive: true });

/** One request; status and text, or a status of 0 when nobody answers. */
export function ask(url, body) {
  return new Promise((resolve) => {
    const method = body === undefined ? "GET" : "POST";
    const headers = body === undefined ? {} : { "content-type": "text/plain" };
    const sent = request(url, { method, headers, agent, timeout: 1000 }, async (answer) => {
      const text = Buffer.concat(await answer.toArray()).toString("utf8");
      resolve({ status: answer.statusCode, text });
    });
    sent.on("timeout", () => sent.destroy());
    sent.on("error", () => resolve({ status: 0, text: "" }));
    sent.end(body);
  });
}

export async function untilReady(url) {
  for (let tries = 0; (await ask(`${url}/readyz`)).status !== 200; tries += 1) {
    if (tries > 3000) throw new Error(`${url} was not ready`);
    await sleep(ASK_EVERY_MS);
  }
}

/** Resolves once `isSo()`; looks each millisecond. */
export async function until(isSo, what, limitMs = 60_000) {
  const endMs = performance.now() + limitMs;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`${what} did not come within ${limitMs} ms`);
    await sleep(1);
  }
}
