import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Fixture, openFixture } from "../command/fixture.ts";
import { COMPOSE_VARIABLES, openDesk } from "./told.ts";

const desk = openDesk();
const SECRETS = ["p%40ss", "p@ss", "minio-secret", "queue-secret", "write-it", "sign-it", "corporate-secret"];
const FILE = {
  cms: {
    ...{ host_url: "", project_name: "mine" },
    tracking: { uri: "http://mlflow:5000", username: "writer", password: "write-it" },
    auth: { user_enabled: true, jwt_secret: "sign-it" },
    proxy: {
      http_proxy: "http://user:corporate-secret@corporate:3128",
      https_proxy: "http://corporate:3128",
    },
    volumes: { models: "/models:ro", "/srv/m": "/m" },
  },
  models: { deployment: { manual: { default_ttl: 60 } } },
  labels: { ttl_label: "my.ttl" },
};

describe("modelgate config --from-cmg", () => {
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await openFixture();
  });
  afterAll(async () => {
    desk.close();
    await fixture.close();
  });

  it("writes a file that says the same to every role", async () => {
    const theirs = desk.file("config.json", FILE);
    const shown = await fixture.run(["config", "--from-cmg", theirs, "--show-secrets"], {
      environment: COMPOSE_VARIABLES,
    });
    expect(shown.code).toBe(0);
    const ours = desk.file("modelgate.yaml", shown.stdout);
    for (const role of ["serve", "gateway", "scheduler", "reaper", "migrate", "sweep"]) {
      const [before, after] = await Promise.all([
        desk.read([], { ...COMPOSE_VARIABLES, CONFIG_FILE: theirs, CMG_GATEWAY_LOG_LEVEL: "" }, role),
        desk.read(["--config", ours], {}, role),
      ]);
      expect(after.problems).toEqual([]);
      expect(after.warnings).toEqual([]);
      expect({ ...after.settings, logLevel: "" }).toEqual({ ...before.settings, logLevel: "" });
    }
  });

  it("leaves out what is secret, and says how to give it", async () => {
    const theirs = desk.file("config.json", FILE);
    const environment = COMPOSE_VARIABLES;
    const { code, stdout, stderr } = await fixture.run(["config", "--from-cmg", theirs], { environment });
    expect(code).toBe(0);
    for (const secret of SECRETS) expect(stdout + stderr).not.toContain(secret);
    expect(stdout).toContain("url: postgres://admin@db:5432/cmg_tasks");
    expect(stdout).toContain(
      "# the password of postgres.url is secret: give postgres.password (MODELGATE_POSTGRES_PASSWORD)",
    );
    expect(stdout).toMatch(
      /# s3\.secretKey is secret: give s3\.secretKey \(MODELGATE_S3_SECRET_KEY\), or s3\.secretKeyFile/,
    );
    expect(stderr).toContain("warning: CMG_QUEUE_HOST,");
    // With these it says the same.
    const given = {
      ...{ MODELGATE_POSTGRES_PASSWORD: "p@ss/word", MODELGATE_S3_ACCESS_KEY: "minio-user" },
      ...{ MODELGATE_S3_SECRET_KEY: "minio-secret", MODELGATE_CMS_AUTH_JWT_SECRET: "sign-it" },
      ...{ MODELGATE_MLFLOW_PASSWORD: "write-it", MODELGATE_CMS_TRACKING_PASSWORD: "write-it" },
      MODELGATE_CMS_PROXY_HTTP_PROXY: "http://user:corporate-secret@corporate:3128",
    };
    const ours = await desk.read(["--config", desk.file("modelgate.yaml", stdout)], given);
    expect(ours.problems).toEqual([]);
    const all = await desk.read([], { ...environment, CONFIG_FILE: theirs });
    expect({ ...ours.settings, "postgres.url": "", "postgres.password": "", logLevel: "" }).toEqual({
      ...all.settings,
      ...{ "postgres.url": "", "postgres.password": "", logLevel: "" },
    });
  });

  it("ends with 2 where the file says nothing that can be understood", async () => {
    const { code, stderr } = await fixture.run(["config", "--from-cmg", desk.file("bad.json", "{'a': 1}")]);
    expect(code).toBe(2);
    expect(stderr).toContain("is not JSON");
  });
});
