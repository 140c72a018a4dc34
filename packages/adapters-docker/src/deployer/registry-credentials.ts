import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { GatewayError } from "@modelgate/core";

import { invalidOption } from "@modelgate/core/adapter";

export type RegistryCredentials =
  | { readonly username: string; readonly password: string }
  | { readonly identityToken: string };

/** Where credentials come from. What is given by host goes before the file. */
export interface CredentialSources {
  readonly registries: Readonly<Record<string, RegistryCredentials>>;
  /** The path of a `config.json` of Docker. */
  readonly dockerConfigFile: string | undefined;
}

/** What the engine takes as `X-Registry-Auth`. */
export type EngineAuth =
  | { readonly username: string; readonly password: string; readonly serveraddress: string }
  | { readonly identitytoken: string; readonly serveraddress: string };

interface DockerConfig {
  readonly auths?: Readonly<Record<string, { auth?: string; identitytoken?: string }>>;
  readonly credHelpers?: Readonly<Record<string, string>>;
  readonly credsStore?: string;
}

/** Under this name Docker keeps what belongs to its Hub. */
const HUB = "https://index.docker.io/v1/";
const HELPER = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const HELPER_TIME_MS = 30_000;
const MOST_HELPER_BYTES = 1_048_576;

/** Throws `INVALID_OPTIONS`; never quotes a secret. */
export function checkRegistries(
  registries: Readonly<Record<string, RegistryCredentials>> | undefined,
): Readonly<Record<string, RegistryCredentials>> {
  const checked: Record<string, RegistryCredentials> = {};
  for (const [host, credentials] of Object.entries(registries ?? {})) {
    const name = hostOf(host);
    if (name === "") throw invalidOption("registries", "has one whose name is empty; give its host[:port]");
    const isPair =
      "username" in credentials &&
      typeof credentials.username === "string" &&
      typeof credentials.password === "string";
    const isToken = "identityToken" in credentials && typeof credentials.identityToken === "string";
    if (!isPair && !isToken) {
      throw invalidOption(`registries.${name}`, "must be { username, password } or { identityToken }");
    }
    checked[name] = credentials;
  }
  return checked;
}

/** The file that Docker's own command reads. */
export function usualDockerConfigFile(): string {
  return join(process.env["DOCKER_CONFIG"] ?? join(homedir(), ".docker"), "config.json");
}

/**
 * What a registry is to be told, or `undefined` where nothing is known. Read anew each time, since tokens change and
 * helpers make new ones. Rejects `REGISTRY_REFUSED` when a file or a helper that is asked for does not do its part.
 */
export async function credentialsFor(
  registry: string,
  { registries, dockerConfigFile }: CredentialSources,
): Promise<EngineAuth | undefined> {
  const serveraddress = registry === "docker.io" ? HUB : registry;
  const given = registries[registry];
  if (given !== undefined) {
    return "identityToken" in given
      ? { identitytoken: given.identityToken, serveraddress }
      : { username: given.username, password: given.password, serveraddress };
  }
  if (dockerConfigFile === undefined) return undefined;
  const config = await readConfig(dockerConfigFile);
  const helper = entryOf(config.credHelpers, registry) ?? config.credsStore;
  if (helper !== undefined) {
    const answer = await askHelper(helper, serveraddress);
    if (answer !== undefined) return authOf(answer.Username, answer.Secret, serveraddress);
  }
  const entry = entryOf(config.auths, registry);
  if (entry?.identitytoken) return { identitytoken: entry.identitytoken, serveraddress };
  if (!entry?.auth) return undefined;
  const pair = Buffer.from(entry.auth, "base64").toString();
  const colon = pair.indexOf(":");
  if (colon < 1)
    throw refused(`the entry of ${registry} in ${dockerConfigFile} is no user name and password`);
  return { username: pair.slice(0, colon), password: pair.slice(colon + 1), serveraddress };
}

function authOf(username: string, secret: string, serveraddress: string): EngineAuth {
  if (username === "<token>") return { identitytoken: secret, serveraddress };
  return { username, password: secret, serveraddress };
}

/** A file's keys may be addresses, with a scheme and a path. */
function entryOf<T>(entries: Readonly<Record<string, T>> | undefined, registry: string): T | undefined {
  for (const [key, entry] of Object.entries(entries ?? {})) if (hostOf(key) === registry) return entry;
  return undefined;
}

function hostOf(key: string): string {
  const host = key.replace(/^https?:\/\//, "").replace(/\/.*$/s, "");
  return ["index.docker.io", "registry-1.docker.io"].includes(host) ? "docker.io" : host;
}

async function readConfig(file: string): Promise<DockerConfig> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw refused(`the credentials file ${file} cannot be read`, error);
  }
  try {
    const config: unknown = JSON.parse(text);
    if (typeof config === "object" && config !== null) return config as DockerConfig;
  } catch {
    // What the parser says quotes the text.
  }
  throw refused(`the credentials file ${file} is no JSON object`);
}

/** Resolves `undefined` where the helper knows nothing of the registry. */
async function askHelper(
  helper: string,
  server: string,
): Promise<{ Username: string; Secret: string } | undefined> {
  if (!HELPER.test(helper))
    throw refused("the name of a credential helper has characters that it cannot have");
  const command = `docker-credential-${helper}`;
  const { code, text } = await run(command, server);
  if (code !== 0) {
    // The protocol has this text for it: https://github.com/docker/docker-credential-helpers
    if (text.includes("credentials not found in native keychain")) return undefined;
    throw refused(`${command} ended with ${code ?? "a signal"} when it was asked for ${server}`);
  }
  try {
    const answer = JSON.parse(text) as { Username?: unknown; Secret?: unknown };
    if (typeof answer.Username === "string" && typeof answer.Secret === "string") {
      return { Username: answer.Username, Secret: answer.Secret };
    }
  } catch {
    // As above: what the parser says quotes a secret.
  }
  throw refused(`${command} did not answer with Username and Secret`);
}

function run(
  command: string,
  input: string,
): Promise<{ readonly code: number | null; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, ["get"], { stdio: ["pipe", "pipe", "ignore"], timeout: HELPER_TIME_MS });
    let text = "";
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (piece: string) => {
      text += piece;
      if (text.length > MOST_HELPER_BYTES) child.kill("SIGKILL");
    });
    child.on("error", (error) => reject(refused(`${command} cannot be run`, error)));
    child.on("close", (code) => resolve({ code, text }));
    // One that ended without reading breaks the pipe; its exit code says enough.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

function refused(problem: string, cause?: unknown): GatewayError {
  return new GatewayError("REGISTRY_REFUSED", problem, { cause });
}
