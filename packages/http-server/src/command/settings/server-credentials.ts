import type { CmsCredentials } from "@modelgate/core";
import { whereToGive } from "./names.ts";
import { readSecretFile } from "./secret-file.ts";
import type { ServerSetting } from "./server-list.ts";
import type { Settings } from "./settings.ts";

export interface CredentialsRead {
  /** Those of a server at this address. The address is one as discoveries tell it. */
  readonly credentialsOf: (url: string) => CmsCredentials | undefined;
  /** What cannot be used, each with what to give instead. */
  readonly problems: readonly string[];
}

/** What the settings say of whom servers know: each server's own before what is said of all. */
export function readCredentials(settings: Settings): CredentialsRead {
  const problems: string[] = [];
  const own = new Map<string, CmsCredentials>();
  for (const server of settings.servers) {
    const credentials = ownCredentials(server, problems);
    if (credentials !== undefined) own.set(addressOf(server.url), credentials);
  }
  const shared = sharedCredentials(settings, problems);
  return { credentialsOf: (url) => own.get(addressOf(url)) ?? shared, problems };
}

function ownCredentials(server: ServerSetting, problems: string[]): CmsCredentials | undefined {
  const { name, username } = server;
  const secret = (key: "password" | "token"): string | undefined => {
    const file = server[`${key}File`];
    if (file === undefined) return server[key];
    if (server[key] !== undefined)
      problems.push(`a server of "${name}" has ${key} and ${key}File; give one of them.`);
    const read = readSecretFile(file);
    if ("text" in read) return read.text;
    problems.push(`${key}File of a server of "${name}" ${read.problem}`);
    return undefined;
  };
  const before = problems.length;
  const password = secret("password");
  const token = secret("token");
  if (problems.length > before) return undefined;
  if (token !== undefined && (username ?? password) !== undefined)
    problems.push(`a server of "${name}" has a token and a user; give one of them.`);
  else if ((username === undefined) !== (password === undefined))
    problems.push(`a server of "${name}" needs username and password together; give both.`);
  return credentialsFrom(token, username, password);
}

function sharedCredentials(settings: Settings, problems: string[]): CmsCredentials | undefined {
  const { "cms.token": token, "cms.username": username, "cms.password": password } = settings;
  if (token !== undefined && (username ?? password) !== undefined)
    problems.push(
      `cms.token stands in place of a user and a password; give ${whereToGive("cms.token")} or these.`,
    );
  else if ((username === undefined) !== (password === undefined)) {
    const missing = username === undefined ? "cms.username" : "cms.password";
    problems.push(
      `the user of model servers needs its password, and a password its user; give ${whereToGive(missing)}.`,
    );
  }
  return credentialsFrom(token, username, password);
}

function credentialsFrom(
  token: string | undefined,
  username: string | undefined,
  password: string | undefined,
): CmsCredentials | undefined {
  if (token !== undefined) return { token };
  return username === undefined || password === undefined ? undefined : { username, password };
}

function addressOf(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname.replace(/\/+$/, "")}`;
}
