import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { compose, findCompose, root } from "./support/compose.ts";

const program = await findCompose();

interface Service {
  readonly image: string;
  readonly user?: string;
  readonly privileged?: boolean;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly { readonly host_ip?: string; readonly published: string }[];
  readonly volumes?: readonly { readonly type: string; readonly source: string }[];
  readonly networks?: Readonly<Record<string, unknown>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string; readonly required: boolean }>>;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly secrets?: readonly { readonly source: string }[];
}

interface Project {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly secrets?: Readonly<Record<string, { readonly file: string }>>;
}

const setUps: Readonly<Record<string, readonly string[]>> = {
  embedded: ["modelgate-embedded", "nlp"],
  full: [
    ...["docker-filter", "grafana", "migrate", "minio", "minio-setup", "mlflow"],
    ...["modelgate", "nlp", "postgres", "prometheus"],
  ],
  "full redis": ["redis"],
  "full rabbitmq": ["rabbitmq"],
};

describe.skipIf(program === undefined)("compose.yaml", () => {
  describe.each(Object.keys(setUps))("with %s", async (names) => {
    const profiles = names.split(" ");
    const flags = profiles.flatMap((name) => ["--profile", name]);
    const text =
      program === undefined ? "{}" : await compose(program, [...flags, "config", "--format", "json"]);
    const project = JSON.parse(text) as Project;
    const services = Object.entries(project.services ?? {});

    it("has what it should", () => {
      const expected = profiles.flatMap((_, index) => setUps[profiles.slice(0, index + 1).join(" ")] ?? []);
      expect(services.map(([name]) => name).sort()).toEqual(expected.sort());
    });

    it.each(services)("confines %s", (name, service) => {
      expect(service.privileged ?? false).toBe(false);
      expect(service.cap_drop).toEqual(["ALL"]);
      expect(service.security_opt).toEqual(["no-new-privileges:true"]);
      if (name !== "rabbitmq") expect(service.read_only).toBe(true);
      const added = service.cap_add ?? [];
      expect(["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]).toEqual(
        expect.arrayContaining([...added]),
      );
    });

    it.each(services)("pins the image of %s, or builds it here", (_name, { image }) => {
      expect(image).toMatch(
        /^(?:modelgate:local|modelgate\/nlp-server:example|[\w.-]+\.\w+\/[\w./-]+:v?\S*\d\S*)$/,
      );
      expect(image).not.toMatch(/:latest$/);
    });

    it("publishes on this machine alone", () => {
      const published = services.flatMap(([, { ports = [] }]) => ports);
      expect(published.length).toBeGreaterThan(0);
      expect(published.filter(({ host_ip }) => host_ip !== "127.0.0.1")).toEqual([]);
    });

    it("has no password but in files that are made for it", () => {
      const made = mkdtempSync(join(tmpdir(), "modelgate-secrets-"));
      execFileSync("sh", [join(root, "deploy/make-secrets.sh"), made]);
      const files = readdirSync(made);
      rmSync(made, { recursive: true });
      for (const { file } of Object.values(project.secrets ?? {})) {
        expect(file.startsWith(join(root, "deploy/secrets/"))).toBe(true);
        expect(files).toContain(file.slice(join(root, "deploy/secrets/").length));
      }
      const variables = services.flatMap(([, { environment = {} }]) => Object.entries(environment));
      const given = variables.filter(([name]) => /password|secret|token|_key/i.test(name));
      expect(given.filter(([, value]) => !value.startsWith("/run/secrets/"))).toEqual([]);
    });

    it("shows the engine's socket to the filter alone, which only the gateway reaches", () => {
      const withSocket = services.filter(([, { volumes = [] }]) =>
        volumes.some(({ source }) => source?.endsWith("docker.sock")),
      );
      const onItsNetwork = services.filter(
        ([, { networks }]) => networks !== undefined && "engine" in networks,
      );
      const isFull = profiles.includes("full");
      expect(withSocket.map(([name]) => name)).toEqual(isFull ? ["docker-filter"] : []);
      expect(onItsNetwork.map(([name]) => name)).toEqual(isFull ? ["docker-filter", "modelgate"] : []);
      for (const name of ["models", "stores", "engine"])
        if (project.networks[name] !== undefined) expect(project.networks[name].internal, name).toBe(true);
    });

    it("waits for what is needed to be healthy, or done", () => {
      for (const [name, { depends_on = {} }] of services) {
        for (const [other, { condition, required }] of Object.entries(depends_on)) {
          const needed = project.services[other];
          if (needed === undefined)
            expect({ name, other, required }).toEqual({ name, other, required: false });
          else if (condition === "service_healthy" && !/^modelgate/.test(needed.image))
            expect(needed.healthcheck?.test, `the health check of ${other}`).toBeDefined();
          else expect(["service_healthy", "service_completed_successfully"]).toContain(condition);
        }
      }
    });

    it("mounts only what is in the repository, or is made", () => {
      const sources = services.flatMap(([, { volumes = [] }]) =>
        volumes.filter(({ type }) => type === "bind").map(({ source }) => source),
      );
      const missing = sources.filter((source) => source.startsWith(root) && !existsSync(source));
      expect(missing).toEqual([]);
    });
  });
});

describe("deploy/make-secrets.sh", () => {
  const folder = join(mkdtempSync(join(tmpdir(), "modelgate-secrets-")), "secrets");
  const make = (): string => execFileSync("sh", [join(root, "deploy/make-secrets.sh"), folder]).toString();
  const read = (): Record<string, string> =>
    Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]));
  afterAll(() => rmSync(join(folder, ".."), { recursive: true }));

  it("makes each secret anew, keeps what is there, and lets nobody else in", () => {
    make();
    const first = read();
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const passwords = Object.entries(first).filter(
      ([name]) => /password|key$/.test(name) && name !== "s3-access-key",
    );
    expect(passwords.length).toBeGreaterThan(6);
    for (const [, text] of passwords) expect(text).toMatch(/^[0-9a-f]{48}$/);
    expect(new Set(passwords.map(([, text]) => text)).size).toBe(passwords.length);
    expect(first["redis.conf"]).toContain(`requirepass ${first["redis-password"]}\n`);
    expect(first["rabbitmq.conf"]).toContain(`default_pass = ${first["rabbitmq-password"]}\n`);

    rmSync(join(folder, "grafana-password"));
    const said = make();
    expect(said).toBe(`made ${join(folder, "grafana-password")}\n`);
    const { "grafana-password": again, ...rest } = read();
    const { "grafana-password": before, ...same } = first;
    expect(rest).toEqual(same);
    expect(again).not.toBe(before);
  });
});
