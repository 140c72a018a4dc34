import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { inspect } from "node:util";
import { GatewayError } from "@modelgate/core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parseImageName } from "../../src/deployer/image-name.ts";
import { checkRegistries, credentialsFor } from "../../src/deployer/registry-credentials.ts";

let folder: string;

/** A helper of Docker's protocol: it is asked on its input, and answers with JSON. */
const HELPER = `#!${process.execPath}
let server = "";
process.stdin.on("data", (piece) => { server += piece; });
process.stdin.on("end", () => {
  if (process.argv[2] !== "get") process.exit(9);
  if (server === "unknown.example") { console.log("credentials not found in native keychain"); process.exit(1); }
  if (server === "broken.example") { console.log("s3cr3t { no json"); process.exit(0); }
  if (server === "token.example") console.log(JSON.stringify({ Username: "<token>", Secret: "t0k3n" }));
  else console.log(JSON.stringify({ Username: "asked for", Secret: server }));
});
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "credentials-"));
  const bin = join(folder, "bin");
  await mkdir(bin);
  await writeFile(join(bin, "docker-credential-test"), HELPER);
  await chmod(join(bin, "docker-credential-test"), 0o755);
  vi.stubEnv("PATH", `${bin}${delimiter}${process.env["PATH"]}`);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

async function fileOf(config: unknown): Promise<string> {
  const file = join(folder, "config.json");
  await writeFile(file, typeof config === "string" ? config : JSON.stringify(config));
  return file;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

describe("credentials of a registry", () => {
  it("are those given by host, before those of the file", async () => {
    const registries = checkRegistries({
      "r.example:5000": { username: "u", password: "p" },
      "https://index.docker.io/v1/": { identityToken: "t" },
    });
    const dockerConfigFile = await fileOf({ auths: { "r.example:5000": { auth: base64("a:b") } } });
    const sources = { registries, dockerConfigFile };
    expect(await credentialsFor("r.example:5000", sources)).toEqual({
      username: "u",
      password: "p",
      serveraddress: "r.example:5000",
    });
    expect(await credentialsFor("docker.io", sources)).toEqual({
      identitytoken: "t",
      serveraddress: "https://index.docker.io/v1/",
    });
    expect(await credentialsFor("other.example", sources)).toBeUndefined();
  });

  it("are read from Docker's file: plain, as a token, with addresses for names", async () => {
    const dockerConfigFile = await fileOf({
      auths: {
        "https://plain.example/v2/": { auth: base64("u:p:with:colons") },
        "token.example": { auth: base64("u:"), identitytoken: "t" },
        "https://index.docker.io/v1/": { auth: base64("hub:p") },
      },
    });
    const sources = { registries: {}, dockerConfigFile };
    expect(await credentialsFor("plain.example", sources)).toMatchObject({
      username: "u",
      password: "p:with:colons",
    });
    expect(await credentialsFor("token.example", sources)).toMatchObject({ identitytoken: "t" });
    expect(await credentialsFor("docker.io", sources)).toMatchObject({ username: "hub" });
  });

  it("are asked of a helper, of one registry or of all", async () => {
    const one = {
      registries: {},
      dockerConfigFile: await fileOf({ credHelpers: { "one.example": "test" } }),
    };
    expect(await credentialsFor("one.example", one)).toMatchObject({
      username: "asked for",
      password: "one.example",
    });
    expect(await credentialsFor("two.example", one)).toBeUndefined();
    const all = { registries: {}, dockerConfigFile: await fileOf({ credsStore: "test" }) };
    expect(await credentialsFor("token.example", all)).toMatchObject({ identitytoken: "t0k3n" });
    expect(await credentialsFor("docker.io", all)).toMatchObject({ password: "https://index.docker.io/v1/" });
    expect(await credentialsFor("unknown.example", all)).toBeUndefined();
  });

  it.each([
    ["a helper that is not there", "x.example", { credsStore: "no-such-helper" }],
    ["a helper with a name that leads elsewhere", "x.example", { credsStore: "../x" }],
    ["a helper that answers nonsense", "broken.example", { credsStore: "test" }],
    ["an entry that is no pair", "x.example", { auths: { "x.example": { auth: base64("s3cr3t") } } }],
    ["a file that is no JSON", "x.example", '{"auth": "s3cr3t" oops'],
  ])(
    "that cannot be had reject with REGISTRY_REFUSED, and nothing of them is told: %s",
    async (_what, host, config) => {
      const dockerConfigFile = await fileOf(config);
      const error = await credentialsFor(host, { registries: {}, dockerConfigFile }).catch(
        (thrown) => thrown,
      );
      expect(GatewayError.is(error, "REGISTRY_REFUSED")).toBe(true);
      expect(inspect(error, { depth: 5 })).not.toContain("s3cr3t");
    },
  );
});

describe("the registry of an image", () => {
  it.each([
    ["ner", "docker.io", "ner", "latest"],
    ["team/ner:1", "docker.io", "team/ner", "1"],
    ["docker.io/team/ner", "docker.io", "docker.io/team/ner", "latest"],
    ["index.docker.io/team/ner", "docker.io", "index.docker.io/team/ner", "latest"],
    ["localhost/ner", "localhost", "localhost/ner", "latest"],
    ["r.example:5000/a/b/ner:2", "r.example:5000", "r.example:5000/a/b/ner", "2"],
    [`r.example/ner:1@sha256:${"0".repeat(64)}`, "r.example", "r.example/ner", `sha256:${"0".repeat(64)}`],
  ])("%s", (image, registry, repository, reference) => {
    expect(parseImageName(image)).toEqual({ registry, repository, reference });
  });
});
