import { isHttpUrl, oneOf, text, textThat, wholeNumber, yesOrNo } from "./kinds.ts";
import { textList, textMap } from "./list-kinds.ts";
import { registryList } from "./registry-list.ts";
import { DEPLOYING, type SettingTable } from "./setting.ts";
import { shownAddress } from "./shown-address.ts";

const HOUR_MS = 3_600_000;
const commands = DEPLOYING;

/** The labels that are read and written, as the adapter names them. */
const LABELS = [
  ...["modelServe", "modelUri", "composeProject", "composeService", "managedBy", "deploymentType", "ttl"],
  ...[
    "installation",
    "generation",
    "model",
    "models",
    "slots",
    "protocol",
    "weight",
    "port",
    "network",
    "address",
  ],
] as const;

export const DOCKER_SETTINGS = {
  "docker.enabled": {
    kind: yesOrNo,
    default: false,
    commands,
    text: "whether model servers are found among the containers of a Docker Engine",
  },
  "docker.socket": {
    kind: text("FILE"),
    defaultText: "`DOCKER_HOST`, or the usual one",
    commands,
    text: "socket of the engine",
  },
  "docker.host": {
    kind: textThat(
      "URL",
      "address",
      (host) => /^(unix:\/\/\/|(tcp|https?):\/\/[^/@\s]+\/?$)/.test(host),
      "give unix:///PATH, tcp://HOST:PORT or https://HOST:PORT, without a user",
    ),
    defaultText: "`DOCKER_HOST`, or the usual socket",
    commands,
    text: "address of the engine, in place of a socket",
  },
  "docker.tls.caFile": {
    kind: text("FILE"),
    defaultText: "what Node trusts",
    commands,
    text: "certificates that the engine's is checked by, as PEM",
  },
  "docker.tls.certFile": {
    kind: text("FILE"),
    defaultText: "none",
    commands,
    text: "certificate of this client, as PEM",
  },
  "docker.tls.keyFile": {
    kind: text("FILE"),
    defaultText: "none",
    commands,
    text: "its private key, as PEM",
  },
  "docker.timeoutMs": {
    kind: wholeNumber(100, HOUR_MS),
    default: 10_000,
    unit: "ms",
    commands,
    text: "longest wait for an answer of the engine",
  },
  "docker.project": {
    kind: textThat(
      "NAME",
      "name of a compose project",
      (name) => /^[a-z0-9][a-z0-9_-]*$/.test(name),
      "give small letters, digits, _ and -",
    ),
    defaultText: "any",
    commands,
    text: "compose project: only its containers are servers, and deployed ones belong to it",
  },
  "docker.onlyLabelled": {
    kind: yesOrNo,
    default: true,
    commands,
    text: "whether only containers with the label of model servers are servers",
  },
  "docker.network": {
    kind: textThat(
      "NAME",
      "name of a network",
      (name) => /^[a-zA-Z0-9][\w.-]*$/.test(name),
      "give the name of a network of the engine",
    ),
    defaultText: "one that works here",
    commands,
    text: "network by which servers are reached and which deployed ones join",
  },
  "docker.address": {
    kind: oneOf(["auto", "network", "published", "name", "proxy"], "KIND"),
    default: "auto",
    commands,
    text: "whether servers are reached by own addresses, published ports, names or a proxy",
  },
  "docker.proxyUrl": {
    kind: textThat(
      "URL",
      "address with `{model}` or `{name}` in it",
      isProxyUrl,
      "give one such as https://proxy/cms/{model}, where {name} stands for the name of the container",
    ),
    defaultText: "none",
    isSecret: true,
    shown: shownAddress,
    commands,
    text: "where a reverse proxy has the servers, for the address `proxy`",
  },
  "docker.publishedHost": {
    kind: text("HOST"),
    defaultText: "the engine's, or 127.0.0.1",
    commands,
    text: "where published ports are reached",
  },
  "docker.publish": {
    kind: textThat(
      "ADDRESS",
      "IP address",
      (address) => /^[0-9a-fA-F.:]+$/.test(address),
      "give an IP address of the engine's host, such as 127.0.0.1",
    ),
    defaultText: "not published",
    commands,
    text: "address of the host on which ports of deployed servers are published",
  },
  "docker.port": {
    kind: wholeNumber(1, 65_535),
    defaultText: "the lowest exposed",
    commands,
    text: "port that servers listen on inside, where no label says",
  },
  "docker.labels": {
    kind: textMap("NAME=KEY", LABELS, `give NAME=KEY, where NAME is one of ${LABELS.join(", ")}`),
    default: {},
    defaultText: "those of CogStack and `modelgate.…`",
    commands,
    text: "other keys of labels than the usual ones",
  },
  "docker.namePrefix": {
    kind: textThat(
      "TEXT",
      "letters, digits, `_`, `.` and `-`",
      (prefix) => /^[a-zA-Z0-9][\w.-]{0,100}$/.test(prefix),
      "give letters, digits, _ . and -, beginning with a letter or a digit",
    ),
    defaultText: "none",
    commands,
    text: "what the names of deployed containers begin with",
  },
  "docker.hostPaths": {
    kind: textList(
      "PATH",
      "absolute paths",
      (path) => /^\/[^\0]*[^/\0]$/.test(path) && !path.split("/").includes(".."),
      "give absolute paths without .. parts, and not the root",
    ),
    default: [],
    defaultText: "none",
    commands,
    text: "folders of the engine's host that deployed servers may mount; may be repeated",
  },
  "docker.registries": {
    kind: registryList,
    defaultText: "none",
    isSecret: true,
    shown: (registries: object) => Object.keys(registries).join(" "),
    commands,
    text: "user and password of registries, by their host",
  },
  "docker.configFile": {
    kind: text("FILE"),
    defaultText: "none",
    commands,
    text: "a config.json of Docker with further credentials and their helpers",
  },
  "docker.platform": {
    kind: textThat(
      "NAME",
      "one such as `linux/amd64`",
      (name) => /^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9]+)?$/.test(name),
      "give one such as linux/amd64",
    ),
    defaultText: "the engine's",
    commands,
    text: "for which processor images are pulled",
  },
  "docker.startTimeoutMs": {
    kind: wholeNumber(1000, HOUR_MS),
    default: 60_000,
    unit: "ms",
    commands,
    text: "how long the engine may take to start a container",
  },
  "docker.pullIdleTimeoutMs": {
    kind: wholeNumber(1000, HOUR_MS),
    default: 300_000,
    unit: "ms",
    commands,
    text: "how long a pull may go without progress",
  },
} as const satisfies SettingTable;

function isProxyUrl(template: string): boolean {
  const filled = template.replace(/\{(model|name)\}/g, "a");
  return filled !== template && isHttpUrl(filled);
}
