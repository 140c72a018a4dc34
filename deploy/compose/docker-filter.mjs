// Stands before the socket of a Docker Engine, whose owner owns the host. It lets through the calls that deploying and
// finding model servers need (docs/reference/docker.md), and looks into them: a server that is made gets no privilege, no
// folder of the host and no network but those that are named here; only model servers are started, stopped, removed
// and read; and of other containers no environment is told, in which passwords often are.
//
//   FILTER_SOCKET     the engine's socket (/var/run/docker.sock)     FILTER_HOST, FILTER_PORT   where to listen (0.0.0.0, 2375)
//   FILTER_NETWORKS   networks that servers may join                FILTER_VOLUMES             volumes that they may mount
//   FILTER_IMAGES     images that may be pulled and run; `*` at the end stands for anything
// Lists have commas; an empty one allows nothing.

import { createServer, request } from "node:http";

const listOf = (text = "") => text.split(",").flatMap((part) => part.trim() || []);
const { FILTER_SOCKET = "/var/run/docker.sock", FILTER_HOST = "0.0.0.0", FILTER_PORT = "2375" } = process.env;
const networks = listOf(process.env.FILTER_NETWORKS);
const volumes = listOf(process.env.FILTER_VOLUMES);
const images = listOf(process.env.FILTER_IMAGES);

const installation = "modelgate.installation";
const serverLabels = [installation, "org.cogstack.model-serve"];
const mostBytes = 1024 * 1024;
const limitMs = 10_000;

const id = "[0-9a-f]{64}|[a-zA-Z0-9][a-zA-Z0-9_.-]*";
/** What is asked besides: nothing, that it is a server, or what stands in the body. */
const rules = [
  ["GET", "/_ping|/events|/containers/json|/info|/networks|/networks/[a-zA-Z0-9_.-]+", "nothing"],
  ["HEAD", "/_ping", "nothing"],
  ["GET", "/(?:images|distribution)/[\\w./:@%-]+/json", "nothing"],
  ["GET", `/containers/(${id})/json`, "masked"],
  ["GET", `/containers/(${id})/logs`, "server"],
  ["POST", `/containers/(${id})/(?:start|stop)`, "server"],
  ["DELETE", `/containers/(${id})`, "server"],
  ["POST", "/images/create", "pull"],
  ["POST", "/containers/create", "create"],
].map(([method, path, check]) => ({ method, pattern: new RegExp(`^(?:${path})$`), check }));

/** Why a call is refused; undefined where it is not. */
async function refusalOf({ check, found }, query, body) {
  if (check === "server") return (await isServer(found)) ? undefined : `${found} is no model server`;
  if (check === "pull") return refusalOfPull(query);
  if (check === "create") return refusalOfServer(body);
  return undefined;
}

function isAllowedImage(name) {
  const bare = name.replace(/^docker\.io\/(?:library\/)?/, "");
  return images.some((each) => (each.endsWith("*") ? bare.startsWith(each.slice(0, -1)) : bare === each));
}

function refusalOfPull(query) {
  const [name, tag] = [query.get("fromImage"), query.get("tag")];
  if (name === null || [...query.keys()].some((key) => !["fromImage", "tag", "platform"].includes(key)))
    return "only a pull may make an image";
  const whole = tag ? `${name}${tag.includes(":") ? "@" : ":"}${tag}` : name;
  return isAllowedImage(whole) || isAllowedImage(name)
    ? undefined
    : `the image ${name} is not in FILTER_IMAGES`;
}

const isOneOf =
  (...allowed) =>
  (value) =>
    allowed.includes(value);
const isAnything = () => true;
const isSame = (expected) => (value) => JSON.stringify(value) === JSON.stringify(expected);
const isMount = (mount) =>
  Object.keys(mount).every((key) => ["Type", "Source", "Target", "ReadOnly"].includes(key)) &&
  mount.Type === "volume" &&
  volumes.includes(mount.Source);
const isDevice = ({ Capabilities, ...more }) =>
  isSame([["gpu"]])(Capabilities) && Object.keys(more).every(isOneOf("Count", "DeviceIDs"));

/** Whatever is not named here is refused: the engine learns new ways to give away a host with each version. */
const serverFields = {
  ...Object.fromEntries(["Entrypoint", "Cmd", "Env", "ExposedPorts", "User"].map((key) => [key, isAnything])),
  Image: (name) => typeof name === "string" && isAllowedImage(name),
  Labels: (labels) => labels?.[installation] !== undefined,
  HostConfig: isAnything,
  NetworkingConfig: ({ EndpointsConfig = {}, ...more }) =>
    Object.keys(more).length === 0 &&
    Object.entries(EndpointsConfig).every(
      ([name, settings]) => networks.includes(name) && Object.keys(settings).every(isOneOf("Aliases")),
    ),
};
const numbers = [
  "ShmSize",
  "PidsLimit",
  "Memory",
  "MemorySwap",
  "NanoCpus",
  "MemoryReservation",
  "CpuShares",
];
const hostFields = {
  ...Object.fromEntries(numbers.map((key) => [key, Number.isFinite])),
  Init: isOneOf(true),
  CapDrop: Array.isArray,
  SecurityOpt: isSame(["no-new-privileges:true"]),
  RestartPolicy: isAnything,
  LogConfig: ({ Type }) => ["json-file", "gelf"].includes(Type),
  ReadonlyRootfs: isOneOf(true, false),
  Mounts: (mounts) => mounts.every(isMount),
  Tmpfs: isAnything,
  NetworkMode: (name) => networks.includes(name),
  DeviceRequests: (requests) => requests.every(isDevice),
};

function refusalOfServer(body) {
  const wrong = [...wrongFields(body, serverFields), ...wrongFields(body.HostConfig ?? {}, hostFields)];
  const missing = ["Image", "Labels", "HostConfig"].filter((key) => body[key] === undefined);
  // Without a network it would be in the engine's own bridge, and without this it could gain privileges.
  missing.push(...["NetworkMode", "SecurityOpt"].filter((key) => body.HostConfig?.[key] === undefined));
  if (missing.length > 0) return `a model server needs ${missing.join(", ")}`;
  return wrong.length > 0 ? `not allowed for a model server: ${wrong.join(", ")}` : undefined;
}

function wrongFields(object, allowed) {
  return Object.entries(object)
    .filter(([key, value]) => !(Object.hasOwn(allowed, key) && passes(allowed[key], value)))
    .map(([key]) => key);
}

/** A value of another type than any client sends is refused like a wrong one. */
function passes(isAllowed, value) {
  try {
    return isAllowed(value);
  } catch {
    return false;
  }
}

async function isServer(name) {
  const { status, json } = await ask(`/containers/${encodeURIComponent(name)}/json`);
  // The engine's own answer to what is not there is the right one.
  if (status === 404) return true;
  return serverLabels.some((label) => json?.Config?.Labels?.[label] !== undefined);
}

async function ask(path) {
  const answer = await new Promise((settle, fail) => {
    const options = { socketPath: FILTER_SOCKET, path, signal: AbortSignal.timeout(limitMs) };
    request(options, settle).on("error", fail).end();
  });
  const text = Buffer.concat(await answer.toArray()).toString();
  return { status: answer.statusCode, json: answer.statusCode === 200 ? JSON.parse(text) : undefined, text };
}

function ruleFor(method, path) {
  for (const { method: own, pattern, check } of rules) {
    const match = own === method ? pattern.exec(path) : null;
    if (match !== null) return { check, found: match[1] };
  }
  return undefined;
}

async function handle(incoming, outgoing) {
  const url = new URL(incoming.url, "http://engine");
  const path = url.pathname.replace(/^\/v[\d.]+(?=\/)/, "");
  const rule = ruleFor(incoming.method, path);
  if (rule === undefined) return refuse(outgoing, `${incoming.method} ${path} is not needed by a gateway`);
  const body = rule.check === "create" ? await bodyOf(incoming) : undefined;
  const refusal = await refusalOf(rule, url.searchParams, body);
  if (refusal !== undefined) return refuse(outgoing, refusal);
  // The path as it was understood, not as it came: no other reading of it can reach the engine.
  const target = url.pathname + url.search;
  if (rule.check === "masked") return await tellMasked(target, outgoing);
  const { method, headers: all } = incoming;
  // Nothing may turn the connection into one that is not looked at, and the length is another one.
  const hop = ["upgrade", "connection", "transfer-encoding", "content-length", "expect"];
  const headers = Object.fromEntries(Object.entries(all).filter(([name]) => !hop.includes(name)));
  const asked = request({ socketPath: FILTER_SOCKET, path: target, method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.headers);
    outgoing.flushHeaders();
    answer.pipe(outgoing);
    answer.on("error", () => outgoing.destroy());
  });
  asked.on("error", () => outgoing.destroy());
  outgoing.on("close", () => asked.destroy());
  // Written anew: the engine would put together what stands there twice, where only the last was looked at. Other calls
  // need no body, and by one an old version of the API would take what else a container may do.
  asked.end(body && JSON.stringify(body));
}

async function tellMasked(target, outgoing) {
  const { status, json, text } = await ask(target);
  const isOwn =
    json === undefined || serverLabels.some((label) => json.Config?.Labels?.[label] !== undefined);
  if (!isOwn) json.Config.Env = null;
  outgoing.writeHead(status, { "content-type": "application/json" }).end(isOwn ? text : JSON.stringify(json));
}

async function bodyOf(incoming) {
  const chunks = [];
  let sizeBytes = 0;
  for await (const chunk of incoming) {
    sizeBytes += chunk.length;
    if (sizeBytes > mostBytes) throw new Error("the body is too large");
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString());
}

function refuse(outgoing, sentence) {
  console.log(`refused: ${sentence}`);
  const body = JSON.stringify({ message: `refused by the filter: ${sentence}` });
  outgoing.writeHead(403, { "content-type": "application/json" }).end(body);
}

const server = createServer((incoming, outgoing) => {
  incoming.on("error", () => outgoing.destroy());
  handle(incoming, outgoing).catch((error) => {
    console.log(`failed: ${error.message}`);
    if (outgoing.headersSent) return outgoing.destroy();
    const body = JSON.stringify({ message: "the filter could not ask the engine, or not read the request" });
    return outgoing.writeHead(502, { "content-type": "application/json" }).end(body);
  });
});
server.listen(Number(FILTER_PORT), FILTER_HOST, () => {
  console.log(`the filter listens on ${FILTER_HOST}:${server.address().port}`);
});
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));
