import { describe, expect, it } from "vitest";
import { checkConnectionOptions, type DockerConnectionOptions } from "../../src/connection/options.ts";

const PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const addressOf = (options: DockerConnectionOptions, environment = {}) =>
  checkConnectionOptions(options, environment).address;

describe("where the engine is", () => {
  it.each([
    [{ socketPath: "/a/b.sock" }, { kind: "socket", socketPath: "/a/b.sock" }],
    [{ host: "unix:///a/b.sock" }, { kind: "socket", socketPath: "/a/b.sock" }],
    [{ host: "tcp://engine" }, { kind: "tcp", host: "engine", port: 2375, tls: undefined }],
    [{ host: "tcp://engine:80" }, { kind: "tcp", host: "engine", port: 80, tls: undefined }],
    [{ host: "http://10.0.0.1:2375/" }, { kind: "tcp", host: "10.0.0.1", port: 2375, tls: undefined }],
    [{ host: "https://engine:443" }, { kind: "tcp", host: "engine", port: 443, tls: {} }],
    [
      { host: "tcp://[::1]:2376", tls: { ca: PEM } },
      { kind: "tcp", host: "::1", port: 2376, tls: { ca: PEM } },
    ],
  ])("is read from %j", (options, expected) => {
    expect(addressOf(options)).toEqual(expected);
  });

  it("is what the environment says, when the options do not", () => {
    expect(addressOf({}, { DOCKER_HOST: "unix:///x.sock" })).toEqual({
      kind: "socket",
      socketPath: "/x.sock",
    });
    expect(addressOf({ socketPath: "/y.sock" }, { DOCKER_HOST: "tcp://x:1" })).toMatchObject({
      socketPath: "/y.sock",
    });
    expect(addressOf({}, { DOCKER_HOST: "tcp://x:1" })).toMatchObject({ host: "x", port: 1, tls: undefined });
    expect(() =>
      addressOf({}, { DOCKER_HOST: "tcp://x:1", DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: "/no" }),
    ).toThrow("DOCKER_CERT_PATH must be a folder with ca.pem, cert.pem and key.pem; no ca.pem there");
  });

  it.each([
    [{ socketPath: "/a", host: "tcp://b" }, "host cannot stand beside socketPath"],
    [{ socketPath: "" }, "socketPath must be a path"],
    [{ host: "ssh://b" }, "host must be like"],
    [{ host: "unix://relative" }, "host must be like"],
    [{ host: "tcp://user:secret@b" }, "host must have no credentials"],
    [{ host: "http://b/path" }, "host must end after the port"],
    [{ host: "http://b", tls: {} }, "tls needs tcp:// or https://"],
    [{ host: "tcp://b", tls: { ca: "/etc/ca.pem" } }, "tls.ca must be a PEM text, not the name of its file"],
    [{ host: "tcp://b", tls: { cert: PEM } }, "tls.key is missing"],
    [{ host: "tcp://b", tls: { passphrase: "x" } as object }, "tls.passphrase is not a part of tls"],
    [{ client: {} as never }, "client must be a client of dockerode"],
    [{ timeoutMs: 0 }, "timeoutMs is 0"],
    [{ apiVersion: "v1.41" }, "apiVersion must be a version"],
    [{ apiVersion: "1.40" }, "apiVersion is 1.40; give 1.41 or a newer one"],
  ])("is refused from %j", (options, message) => {
    expect(() => checkConnectionOptions(options as DockerConnectionOptions, {})).toThrow(message);
    try {
      checkConnectionOptions(options as DockerConnectionOptions, {});
    } catch (error) {
      expect(error).toMatchObject({ code: "INVALID_OPTIONS", details: { field: message.split(" ")[0] } });
      expect(String(error)).not.toContain("secret");
    }
  });
});
