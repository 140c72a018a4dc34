import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cohensKappa } from "../src/exports/agreement.ts";
import { Float, toCsv } from "../src/exports/csv.ts";
import { exportFile, exportsForm, fileOf, formOf, postForm } from "./forms.ts";
import { type Running, start } from "./running.ts";

let running: Running;

beforeAll(async () => {
  running = await start();
});

afterAll(() => running.close());

const post = (path: string, form: FormData): Promise<Response> => postForm(running, path, form);

const oneDocument = (text: string, annotations: unknown[]): string =>
  JSON.stringify({ projects: [{ id: 1, documents: [{ id: 1, text, annotations }] }] });

describe("POST /sanity-check", () => {
  it("tells how well the model finds what the annotators accepted", async () => {
    const response = await post("/sanity-check?tracking_id=t-1", exportsForm("a"));
    expect(fileOf(response)).toEqual([
      "text/csv; charset=utf-8",
      'attachment ; filename="sanity_check_t-1.csv"',
    ]);
    // The annotators rejected the number and deleted one of three places; the model misses "Her husband".
    expect(await response.text()).toBe(
      "concept,name,precision,recall,f1\n" +
        "CARDINAL,Cardinal Number,0.0,0.0,0.0\n" +
        "DATE,Date,1.0,1.0,1.0\n" +
        "PERSON,Person,1.0,0.6666666666666666,0.8\n" +
        "PLACE,Place,0.6666666666666666,1.0,0.8\n" +
        "TIME,Time,1.0,1.0,1.0\n",
    );
  });

  it("counts a hit only where the offsets in code points and the concept are the same", async () => {
    const text = "😀 John Smith was seen.";
    const score = async (start: number, end: number, cui: string): Promise<string> => {
      const form = formOf("trainer_export", oneDocument(text, [{ start, end, cui }]));
      return (await (await post("/sanity-check", form)).text()).split("\n").slice(1, -1).join(" ");
    };
    expect(await score(2, 12, "PERSON")).toBe("PERSON,Person,1.0,1.0,1.0");
    expect(await score(3, 13, "PERSON")).toBe("PERSON,Person,0.0,0.0,0.0");
    expect(await score(2, 12, "PLACE")).toBe("PERSON,Person,0.0,0.0,0.0 PLACE,PLACE,0.0,0.0,0.0");
  });
});

describe("POST /iaa-scores", () => {
  const agreement = async (scope: string, a = 1, b = 2): Promise<Response> =>
    post(
      `/iaa-scores?annotator_a_project_id=${a}&annotator_b_project_id=${b}&scope=${scope}&tracking_id=x`,
      exportsForm("a", "b"),
    );

  it("tells how far two annotators agree on each concept", async () => {
    const response = await agreement("per_concept");
    expect(fileOf(response)).toEqual(["text/csv; charset=utf-8", 'attachment ; filename="iaa_x.csv"']);
    expect(await response.text()).toBe(
      "concept,iaa_percentage,cohens_kappa,iaa_percentage_meta,cohens_kappa_meta\n" +
        "CARDINAL,100.0,1.0,100.0,1.0\n" +
        "DATE,75.0,0.0,100.0,1.0\n" +
        "PERSON,66.66666666666666,0.4,66.66666666666666,0.4\n" +
        "PLACE,66.66666666666666,0.0,100.0,1.0\n" +
        "TIME,100.0,1.0,100.0,1.0\n",
    );
  });

  it("tells how far they agree on each document", async () => {
    expect(await (await agreement("per_document")).text()).toBe(
      "doc_id,iaa_percentage,cohens_kappa,iaa_percentage_meta,cohens_kappa_meta\n" +
        "104,66.66666666666666,0.6,83.33333333333334,0.4545454545454546\n" +
        "105,60.0,0.5238095238095238,100.0,1.0\n",
    );
  });

  it("tells how far they agree on each span", async () => {
    expect(await (await agreement("per_span")).text()).toBe(
      "doc_id,span_start,span_end,iaa_percentage,cohens_kappa,iaa_percentage_meta,cohens_kappa_meta\n" +
        "104,0,16,100.0,1.0,0.0,0.0\n" +
        "104,28,40,100.0,1.0,100.0,1.0\n" +
        "104,44,54,71.42857142857143,0.5625,100.0,1.0\n" +
        "104,58,62,100.0,1.0,100.0,1.0\n" +
        "104,91,93,100.0,1.0,100.0,1.0\n" +
        "104,146,157,0.0,0.0,0.0,0.0\n" +
        "105,20,40,100.0,1.0,100.0,1.0\n" +
        "105,44,49,85.71428571428571,0.7586206896551724,100.0,1.0\n" +
        "105,51,62,0.0,0.0,0.0,0.0\n" +
        "105,68,77,100.0,1.0,100.0,1.0\n" +
        "105,81,91,100.0,1.0,100.0,1.0\n",
    );
  });

  it("compares only documents that both have", async () => {
    const query = "annotator_a_project_id=1&annotator_b_project_id=3&scope=per_span";
    const response = await post(`/iaa-scores?${query}`, exportsForm("a", "c"));
    expect((await response.text()).split("\n")).toHaveLength(2);
  });

  it("refuses a scope and a project that it does not know, and a missing parameter", async () => {
    const unknown = await agreement("zzz");
    expect([unknown.status, await unknown.json()]).toEqual([400, { message: 'Unknown scope: "zzz"' }]);
    const absent = await agreement("per_span", 1, 77);
    expect([absent.status, await absent.json()]).toEqual([
      400,
      { message: "Cannot find the project with ID: 77" },
    ]);
    const bare = await post("/iaa-scores?annotator_a_project_id=x", exportsForm("a"));
    expect(bare.status).toBe(422);
    const { detail } = (await bare.json()) as { detail: { type: string; loc: unknown[] }[] };
    expect(detail.map(({ type, loc }) => [type, ...loc])).toEqual([
      ["int_parsing", "query", "annotator_a_project_id"],
      ["missing", "query", "annotator_b_project_id"],
      ["missing", "query", "scope"],
    ]);
  });

  it("takes Cohen's kappa over any labels", () => {
    // They agree on 3 of 4; by chance on 2/4 x 1/4 + 1/4 x 2/4 + 1/4 x 1/4 = 5/16. (12 - 5) / (16 - 5) = 7/11.
    expect(cohensKappa(["a", "a", "b", "c"], ["a", "b", "b", "c"])).toBeCloseTo(7 / 11, 12);
    expect(cohensKappa(["a", "a"], ["a", "a"])).toBe(1);
    expect(cohensKappa(["a", "b"], ["b", "a"])).toBe(-1);
  });
});

describe("POST /annotation-stats", () => {
  it("counts annotations, wordings and what training would ignore", async () => {
    const response = await post("/annotation-stats?tracking_id=x", exportsForm("a", "c"));
    expect(fileOf(response)).toEqual(["text/csv; charset=utf-8", 'attachment ; filename="stats_x.csv"']);
    expect(await response.text()).toBe(
      "concept,anno_count,anno_unique_counts,anno_ignorance_counts\n" +
        "PERSON,3,3,0\n" +
        "PLACE,3,3,1\n" +
        "DATE,4,4,0\n" +
        "CARDINAL,1,1,0\n" +
        "TIME,1,1,0\n" +
        "FEVER,3,1,2\n",
    );
  });

  it("takes annotations in an object too", async () => {
    const source = JSON.stringify({
      projects: [
        { id: 1, documents: [{ id: 1, text: "ab", annotations: { 7: { start: 0, end: 1, cui: "A" } } }] },
      ],
    });
    const response = await post("/annotation-stats", formOf("trainer_export", source));
    expect(await response.text()).toContain("\nA,1,1,0\n");
  });
});

describe("POST /concat_trainer_exports", () => {
  it("joins the projects in order and keeps what they hold", async () => {
    const response = await post("/concat_trainer_exports?tracking_id=x", exportsForm("a", "c"));
    expect(fileOf(response)).toEqual([
      "application/json; charset=utf-8",
      'attachment ; filename="concatenated_x.json"',
    ]);
    expect(response.headers.get("content-length")).not.toBeNull();
    const [a, c] = [exportFile("a"), exportFile("c")].map(
      (source) => JSON.parse(source) as { projects: unknown[] },
    );
    expect(await response.json()).toEqual({ projects: [...(a?.projects ?? []), ...(c?.projects ?? [])] });
  });

  it("refuses ids that come twice", async () => {
    const projects = await post("/concat_trainer_exports", exportsForm("a", "a"));
    expect([projects.status, await projects.json()]).toEqual([
      400,
      { message: "Found multiple projects share the same ID: 1" },
    ]);
    const documents = await post("/concat_trainer_exports", exportsForm("a", "b"));
    expect([documents.status, await documents.json()]).toEqual([
      400,
      { message: "Found multiple documents share the same ID(s): [104, 105]" },
    ]);
  });
});

describe("an export that is none", () => {
  const paths = ["/sanity-check", "/concat_trainer_exports", "/annotation-stats", "/evaluate"];

  it.each(paths)("is refused by %s", async (path) => {
    const answer = async (source: string): Promise<unknown[]> => {
      const response = await post(path, formOf("trainer_export", source));
      return [response.status, ((await response.json()) as { message: string }).message];
    };
    expect(await answer('{\n"projects": [,')).toEqual([400, expect.stringContaining("Invalid JSON")]);
    expect(await answer('{"text":"a secret note"}')).toEqual([500, "'projects'"]);
    expect(await answer('{"projects":[{"id":1}]}')).toEqual([500, "'documents'"]);
    expect(await answer('{"projects":{}}')).toEqual([500, expect.stringContaining("must be a list")]);
    expect(await answer("[]")).toEqual([500, expect.stringContaining("object")]);
  });

  it.each([
    ["no text", { id: 1, annotations: [] }, "'text'"],
    ["no annotations", { id: 1, text: "a" }, "'annotations'"],
    ["no offset", { id: 1, text: "a", annotations: [{ cui: "A", end: 1 }] }, "'start'"],
    ["no concept", { id: 1, text: "a", annotations: [{ start: 0, end: 1 }] }, "'cui'"],
  ])("is refused with %s", async (_, document, sentence) => {
    const source = JSON.stringify({ projects: [{ id: 1, documents: [document] }] });
    const response = await post("/annotation-stats", formOf("trainer_export", source));
    expect([response.status, await response.json()]).toEqual([500, { message: sentence }]);
  });

  it("is refused where there is no file, no form or a broken form", async () => {
    const missing = { type: "missing", loc: ["body", "trainer_export"], msg: "Field required", input: null };
    const empty = await post("/sanity-check", formOf("something_else", "{}"));
    expect([empty.status, await empty.json()]).toEqual([422, { detail: [missing] }]);
    const untyped = await running.post("/sanity-check", "{}", "application/json");
    expect([untyped.status, await untyped.json()]).toEqual([422, { detail: [missing] }]);
    const field = new FormData();
    field.append("trainer_export", "not a file");
    expect(await (await post("/sanity-check", field)).json()).toMatchObject({
      detail: [{ type: "value_error", loc: ["body", "trainer_export", 0] }],
    });
    const boundless = await running.post("/sanity-check", "x", "multipart/form-data");
    expect([boundless.status, await boundless.json()]).toEqual([
      400,
      { detail: "Missing boundary in multipart." },
    ]);
    const broken = await running.post("/sanity-check", "x", "multipart/form-data; boundary=y");
    expect([broken.status, await broken.json()]).toEqual([
      400,
      { detail: "There was an error parsing the body" },
    ]);
  });

  it("is refused with a tracking id that is none", async () => {
    const response = await post("/annotation-stats?tracking_id=-x", exportsForm("a"));
    expect([response.status, await response.json()]).toEqual([
      400,
      { detail: "Invalid tracking ID '-x', must be an alphanumeric string of length 1 to 256" },
    ]);
  });
});

describe("a CSV", () => {
  it("quotes what would be read as something else", () => {
    expect(
      toCsv(
        ["a", "b"],
        [
          ["x,y", new Float(2)],
          ['say "so"', new Float(0.25)],
          ["two\nlines", 3],
        ],
      ),
    ).toBe('a,b\n"x,y",2.0\n"say ""so""",0.25\n"two\nlines",3\n');
  });
});
