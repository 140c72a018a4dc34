import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DockerConnectionOptions } from "../../../src/connection/options.ts";

function setting(name: string): string {
  return process.env[name] ?? "";
}

/** The real engine that the tests use. */
export const engine = {
  get socketPath(): string {
    return setting("DOCKER_SOCKET");
  },
  get image(): string {
    return setting("DOCKER_TEST_IMAGE");
  },
  /** Where published ports are reached. */
  get publishedAddress(): string {
    return setting("DOCKER_PUBLISHED_ADDRESS");
  },
  get registry(): { host: string; image: string; username: string; password: string } {
    return {
      host: setting("DOCKER_REGISTRY"),
      image: setting("DOCKER_REGISTRY_IMAGE"),
      username: setting("DOCKER_REGISTRY_USER"),
      password: setting("DOCKER_REGISTRY_PASSWORD"),
    };
  },
  get overTls(): DockerConnectionOptions {
    const folder = setting("DOCKER_TLS_CERTS");
    const read = (name: string): string => readFileSync(join(folder, name), "utf8");
    const tls = { ca: read("ca.pem"), cert: read("cert.pem"), key: read("key.pem") };
    return { host: setting("DOCKER_TLS_HOST"), tls };
  },
};
