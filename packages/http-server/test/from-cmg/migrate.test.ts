import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readForeignDatabase } from "@modelgate/adapters-storage/postgres";
import { createGateway, type Gateway, staticDiscovery } from "@modelgate/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bringFromCmg } from "../../src/command/migrate-from-cmg/migrate-from-cmg.ts";
import type { MigrationReport } from "../../src/command/migrate-from-cmg/report.ts";
import type { Settings } from "../../src/command/settings/settings.ts";
import { openStores, type Stores } from "../../src/command/stores/open-stores.ts";
import { createHttpHandler, type HttpHandler } from "../../src/index.ts";
import { SHARED_STORES, type TestStore } from "../command/test-stores.ts";
import { type CmgLeft, isThere, layOut } from "./cmg-left.ts";
import { type Desk, openDesk } from "./told.ts";

const NOTHING_NEW = {
  configurations: { brought: 0, known: 6, renumbered: 0 },
  usage: { brought: 0, known: 4 },
  tasks: {
    succeeded: { brought: 0, known: 10 },
    failed: { brought: 0, known: 2 },
    waiting: { brought: 0, known: 10 },
    underWay: { brought: 0, known: 1 },
    lost: { brought: 0, known: 0 },
  },
};

/** Of the rows of the fixture. */
const ID = {
  process: "4ec79593-c958-45e0-b78b-2ca6936a8db0",
  large: "d670103e-1302-4751-b7c9-8f06e733c623",
  training: "6964bb4d-af7e-4b1e-8a5b-2b3b51a9281a",
  failed: "24278b75-4dd0-460b-a94a-cbd042db9780",
  running: "dcbe9731-24dd-479b-8c0d-cfb866cb356b",
  redact: "b36754f0-a03b-481a-a297-2bc19c738ea1",
  form: "a6692055-a61a-4a5b-849a-b2aaecae882c",
  latin: "094267dc-3c59-4ce8-88ac-9a5981cd9e2f",
} as const;

describe.skipIf(!isThere).each(SHARED_STORES)(
  "what a real run of CogStack's gateway left, brought to $name",
  ({ make }) => {
    let left: CmgLeft;
    let store: TestStore;
    let desk: Desk;
    let folder: string;
    let settings: Settings;
    let stores: Stores;
    let gateway: Gateway;
    let http: HttpHandler;
    let before: string;
    let first: MigrationReport;

    const server = { url: "http://127.0.0.1:9", name: "medcat-umls" };
    /** As every process derives it from the address. */
    const serverId = "127.0.0.1:9";
    const get = async (path: string): Promise<Response> =>
      await http.fetch(new Request(`http://here${path}`));
    const task = async (id: string) =>
      (await (await get(`/tasks/${id}?detail=true`)).json()) as Record<string, unknown>;

    async function bring(parts: Partial<Settings> = {}, dryRun = false): Promise<MigrationReport> {
      const { source, messages } = left;
      const database = await readForeignDatabase({ url: source.databaseUrl });
      const { signal } = new AbortController();
      try {
        const with_ = { ...settings, ...parts };
        return await bringFromCmg({ source, database, messages, stores, settings: with_, dryRun, signal });
      } finally {
        await database.close();
      }
    }

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "modelgate-from-cmg-"));
      desk = openDesk();
      [left, store] = await Promise.all([layOut(), make()]);
      const file = desk.file("modelgate.json", {
        ...{ dataDir: folder, retention: false, servers: [server], ...store.settings },
      });
      const read = await desk.read(["--config", file], {}, "migrate");
      expect(read.problems).toEqual([]);
      settings = read.settings;
      stores = await openStores(settings, { warn: () => {} });
      before = await left.look();
      const dry = await bring({}, true);
      expect(await stores.ledger.list({})).toMatchObject({ items: [] });
      first = await bring();
      expect({ ...first, dryRun: true, tasks: { ...first.tasks, resultsMissing: 0 } }).toEqual({ ...dry });
      gateway = createGateway({
        ...stores,
        discovery: staticDiscovery({ servers: [], probe: new Map() }),
        runs: false,
        sweeps: false,
        deployments: undefined,
      });
      http = createHttpHandler(gateway);
    }, 30_000);
    afterAll(async () => {
      await gateway?.stop({ drainMs: 0 });
      await stores?.close();
      await store?.close();
      await left?.close();
      desk?.close();
      await rm(folder, { recursive: true, force: true });
    });

    it("brings every row, and a second run changes nothing", async () => {
      expect(first).toMatchObject({
        configurations: { brought: 6, known: 0, renumbered: 0 },
        usage: { brought: 4, known: 0 },
        problems: [],
        tasks: {
          succeeded: { brought: 10 },
          failed: { brought: 2 },
          waiting: { brought: 10 },
          underWay: { brought: 1 },
        },
      });
      expect(first.tasks).toMatchObject({ leftOut: [], resultsMissing: 0, lost: { brought: 0 } });
      expect(await bring()).toMatchObject(NOTHING_NEW);
    });

    it("tells of ended tasks as before, and gives their results byte for byte under the same name", async () => {
      expect(await task(ID.training)).toEqual({
        uuid: ID.training,
        status: "succeeded",
        model: "medcat-umls",
        type: "train_supervised",
        source: "ip=127.0.0.1; ua=python-requests/2.32.5",
        created_at: "2026-11-21T22:21:55.343000+00:00",
        started_at: "2026-11-21T22:21:55.377000+00:00",
        finished_at: "2026-11-21T22:22:01.254000+00:00",
        result: `${ID.training}_results.json`,
        error_message: null,
        tracking_id: "e3d695ee2965450a97a5b95ea1777bd1",
      });
      for (const id of [ID.process, ID.large, ID.training]) {
        const answer = await get(`/tasks/${id}?download=true`);
        expect(answer.headers.get("content-disposition")).toBe(`attachment; filename=${id}_results.json`);
        expect(Buffer.from(await answer.arrayBuffer()).equals(left.result(`${id}_results.json`)), id).toBe(
          true,
        );
      }
    });

    it("says of a failed task what was said of it", async () => {
      const { status, error_message: said } = await task(ID.failed);
      expect(status).toBe("failed");
      expect(said).toBe(
        `Failed to forward task '${ID.failed}': 400 Client Error: Bad Request for url: http://medcat-umls:8000/iaa-scores?scope=nonsense`,
      );
    });

    it("rebuilds what waits, with its query, its bytes and its form", async () => {
      const ids = [ID.redact, ID.form, ID.latin];
      const [redact, form, latin] = await stores.ledger.get(ids, { bodies: "payload" });
      expect(redact).toMatchObject({
        ...{ state: "pending", query: "mask=*&warn_on_no_redaction=true", repeatable: true, attempt: 0 },
        payload: { contentType: "text/plain; charset=utf-8" },
        createdAtMs: Date.parse("2026-11-21T22:22:49.141032+00:00"),
      });
      expect(Buffer.from(redact?.payload.inline ?? []).toString()).toBe("kidney failure and diabetes");
      expect(form).toMatchObject({
        state: "pending",
        query: "epochs=3",
        background: true,
        repeatable: false,
      });
      const parts = Buffer.from(form?.payload.inline ?? []).toString();
      expect(parts).toContain('name="trainer_export"; filename="an export (1).json"\r\n\r\n{"projects"');
      expect(parts).toContain('name="description"\r\n\r\nwaits, with Größe\r\n');
      expect(Buffer.from(latin?.payload.inline ?? []).toString("latin1")).toBe("Größe");
    });

    it("leaves a training that goes on to be watched, and its server taken", async () => {
      const [running] = await stores.ledger.get([ID.running]);
      expect(running).toMatchObject({
        ...{ state: "running", runId: "f515d96e87124693bd88bb40373bae9b", server: serverId, attempt: 1 },
        sentAtMs: Date.parse("2026-11-21T22:22:43.202Z"),
      });
      const want = { server: serverId, limit: 8, max: 8, models: [server.name], background: true, cost: 0 };
      const { grants } = await stores.ledger.exchange({
        ...{ runner: "r", incarnation: "1", sequence: 1, acknowledged: 0, leaseMs: 60_000 },
        ...{ settle: [], renew: [], release: [], recover: 8, want: [want] },
      });
      const found = grants.map(({ kind, task: { id, background } }) => ({ kind, id, background }));
      expect(found).toContainEqual({ kind: "recover", id: ID.running, background: true });
      expect(found.filter(({ kind, background }) => kind === "run" && background)).toEqual([]);
      expect(found.filter(({ kind }) => kind === "run").length).toBeGreaterThan(5);
    });

    it("keeps configurations with their ids, and gives new ones others", async () => {
      const all = await stores.records.get("on-demand/models/on-demand-a");
      const { versions } = (all?.value ?? {}) as { versions?: unknown[] };
      expect(versions).toMatchObject([
        { id: 1, isEnabled: true, idleTtlMs: 7_200_000, description: "first of a" },
        { id: 2, isEnabled: false, demands: { limits: { memoryBytes: 4 * 1024 ** 3, cpus: 2 } } },
        { id: 3, isEnabled: false, modelUri: "mlflow-artifacts:/1/c/artifacts/model" },
      ]);
      expect((await stores.records.get("on-demand/counter"))?.value).toBe(6);
    });

    it("brings nothing that would be forgotten at once, and says so", async () => {
      const retention = { payloadMs: 1, resultMs: 1, rowMs: 1 };
      const { source, messages } = left;
      const database = await readForeignDatabase({ url: source.databaseUrl });
      const { records, objects } = stores;
      const { signal } = new AbortController();
      const report = await bringFromCmg({
        ...{ source, database, messages, stores: { records, objects }, signal, dryRun: true },
        settings: { ...settings, retention },
      });
      await database.close();
      expect(report.tasks).toMatchObject({ tooOld: 12, waiting: { brought: 10 }, underWay: { brought: 1 } });
    });

    it("changes nothing of what it was brought from", async () => {
      expect(await left.look()).toBe(before);
    });
  },
);
