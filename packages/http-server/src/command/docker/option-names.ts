import { KEYS, whereToGive } from "../settings/names.ts";

const OTHER_NAMES: Readonly<Record<string, string>> = {
  socketPath: "socket",
  allowedHostPaths: "hostPaths",
  dockerConfigFile: "configFile",
  "publish.hostAddress": "publish",
  "tls.ca": "tls.caFile",
  "tls.cert": "tls.certFile",
  "tls.key": "tls.keyFile",
};

/** Where an option of Docker's adapter is given; what no setting says comes from the environment. */
export function whereOfOption(field: string): string {
  const name = OTHER_NAMES[field] ?? field;
  const key = KEYS.get(`docker.${name}`) ?? KEYS.get(`docker.${name.split(".", 1)[0]}`);
  return key === undefined ? field : whereToGive(key.name);
}
