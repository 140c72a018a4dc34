import { describe, expect, it } from "vitest";
import { createFailure, endFailure, pullFailure, startFailure } from "../../src/deployer/failure.ts";

/** What engines said, word for word, and what is made of it. Docker 20.10 unless another is named. */
const STARTS: readonly (readonly [reason: string, code: string, message: RegExp])[] = [
  [
    'could not select device driver "" with capabilities: [[gpu]]',
    "START_FAILED",
    /no driver for these graphics cards/,
  ],
  [
    'failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/nope": stat /nope: no such file or directory: unknown',
    "START_FAILED",
    /^program not found in the image/,
  ],
  [
    'OCI runtime create failed: container_linux.go:380: starting container process caused: exec: "nope": executable file not found in $PATH: unknown',
    "START_FAILED",
    /^program not found in the image/,
  ],
  [
    'failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/app": permission denied: unknown',
    "START_FAILED",
    /may not be run/,
  ],
  ["unable to find user nobodyx: no matching entries in passwd file", "START_FAILED", /no such user/],
  ["network c-nonet not found", "START_FAILED", /network does not exist/],
  [
    "driver failed programming external connectivity on endpoint c1 (4bcd): Bind for 0.0.0.0:8000 failed: port is already allocated",
    "START_FAILED",
    /port .* is taken/,
  ],
  [
    "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec /bin/x: exec format error: unknown",
    "START_FAILED",
    /another kind of processor/,
  ],
  ["error creating overlay mount: no space left on device", "HOST_FULL", /disk/],
  ["fork/exec /usr/bin/unpigz: cannot allocate memory", "HOST_FULL", /memory/],
  ["something new", "START_FAILED", /could not start it: something new$/],
];

const PULLS: readonly (readonly [reason: string, hadCredentials: boolean, code: string])[] = [
  ['Head "http://r:1/v2/modelgate/x/manifests/1": no basic auth credentials', false, "REGISTRY_REFUSED"],
  ["unauthorized: authentication required", true, "REGISTRY_REFUSED"],
  ["manifest for r:1/modelgate/x:nope not found: manifest unknown: manifest unknown", true, "IMAGE_MISSING"],
  [
    "pull access denied for nope, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
    false,
    "REGISTRY_REFUSED",
  ],
  [
    "pull access denied for nope, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
    true,
    "IMAGE_MISSING",
  ],
  ['Get "http://r:1/v2/": dial tcp 10.0.0.1:1: connect: connection refused', false, "REGISTRY_REFUSED"],
  [
    'Get "https://x.invalid/v2/": dial tcp: lookup x.invalid on 10.0.0.1:53: no such host',
    false,
    "REGISTRY_REFUSED",
  ],
  ['Get "https://r/v2/": x509: certificate signed by unknown authority', false, "REGISTRY_REFUSED"],
  ['Get "https://r:1/v2/": http: server gave HTTP response to HTTPS client', false, "REGISTRY_REFUSED"],
  ["toomanyrequests: You have reached your pull rate limit.", false, "REGISTRY_REFUSED"],
  [
    "failed to register layer: Error processing tar file(exit status 1): write /x: no space left on device",
    true,
    "HOST_FULL",
  ],
  ["no matching manifest for linux/arm64/v8 in the manifest list entries", true, "IMAGE_MISSING"],
  ["something new", true, "DEPLOYER_REFUSED"],
];

const CREATES: readonly (readonly [
  status: number,
  reason: string,
  code: string,
  field: string | undefined,
])[] = [
  [404, "No such image: modelgate/nope:local", "IMAGE_MISSING", undefined],
  [
    400,
    "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
    "INVALID_REQUEST",
    "limits.cpus",
  ],
  [
    400,
    'invalid mount config for type "bind": bind source path does not exist: /nohost',
    "INVALID_REQUEST",
    "volumes",
  ],
  [400, 'invalid CapDrop: unknown capability: "CAP_FOO"', "INVALID_REQUEST", "dropCapabilities"],
  [
    400,
    "Minimum memory limit can not be less than memory reservation limit, see usage",
    "INVALID_REQUEST",
    "reservations.memoryBytes",
  ],
  [500, "something new", "DEPLOYER_REFUSED", undefined],
];

describe("why something did not come about", () => {
  it.each(STARTS)("start: %s", (reason, code, message) => {
    const failure = startFailure(reason);
    expect(failure.code).toBe(code);
    expect(failure.message).toMatch(message);
  });

  it.each(PULLS)("pull: %s (credentials: %s)", (reason, hadCredentials, code) => {
    expect(pullFailure(500, reason, hadCredentials).code).toBe(code);
  });

  it.each([...CREATES])("create: %i %s", (status, reason, code, field) => {
    const failure = createFailure(status, reason);
    expect(failure.code).toBe(code);
    expect(failure.details?.["field"]).toBe(field);
  });

  it("a server that ended: by its memory, its program, a signal, or itself", () => {
    const ended = (exitCode: number, isOutOfMemory = false, error = "") =>
      endFailure({ exitCode, isOutOfMemory, error });
    expect(ended(137, true).code).toBe("OUT_OF_MEMORY");
    expect(ended(1, true).code).toBe("OUT_OF_MEMORY");
    expect(ended(137)).toMatchObject({ code: "SERVER_EXITED", details: { exitCode: 137 } });
    expect(ended(127).message).toMatch(/not found in the image/);
    expect(ended(126).message).toMatch(/may not be run/);
    expect(ended(134).message).toMatch(/by signal 6$/);
    expect(ended(3).message).toBe("it ended with exit code 3");
    expect(ended(0).message).toMatch(/a server has to stay/);
    expect(ended(128, false, "network x not found").code).toBe("START_FAILED");
  });

  it("a long reason is shortened, and is one line", () => {
    const { message } = startFailure(`a\nb ${"x".repeat(1000)}`);
    expect(message.length).toBeLessThan(400);
    expect(message).not.toContain("\n");
  });
});
