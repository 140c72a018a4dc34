import { afterAll, beforeAll, expect, it } from "vitest";
import { type Running, start } from "./running.ts";

let running: Running;

beforeAll(async () => {
  running = await start();
});

afterAll(() => running.close());

async function scrape(): Promise<{ type: string | null; lines: string[] }> {
  const response = await fetch(`${running.url}/metrics`);
  return { type: response.headers.get("content-type"), lines: (await response.text()).split("\n") };
}

it("tells Prometheus what was asked and found", async () => {
  await running.post("/process", "John Smith was seen in Berlin.");
  await running.post("/process", "");
  await running.post(
    "/process_bulk",
    '["John Smith","nobody","Berlin is far from John Smith"]',
    "application/json",
  );
  await fetch(`${running.url}/a-secret-path`);
  const { type, lines } = await scrape();
  expect(type).toBe("text/plain; version=1.0.0; charset=utf-8");
  for (const line of [
    "# TYPE http_requests_total counter",
    'http_requests_total{handler="/process",method="POST",status="2xx"} 1',
    'http_requests_total{handler="/process",method="POST",status="4xx"} 1',
    'http_requests_total{handler="none",method="GET",status="4xx"} 1',
    'http_request_duration_seconds_count{handler="/process",method="POST"} 2',
    'cms_doc_annotations_bucket{handler="/process",le="1"} 0',
    'cms_doc_annotations_bucket{handler="/process",le="2"} 1',
    'cms_doc_annotations_bucket{handler="/process",le="+Inf"} 1',
    'cms_doc_annotations_sum{handler="/process"} 2',
    'cms_doc_annotations_sum{handler="/process_bulk"} 3',
    'cms_bulk_processed_docs_sum{handler="/process_bulk"} 3',
  ]) {
    expect(lines).toContain(line);
  }
  expect(lines.join("\n")).not.toContain("secret");
});

it("writes one sample a line, and each under its family", async () => {
  const { lines } = await scrape();
  let family = "";
  for (const line of lines.slice(0, -1)) {
    if (line.startsWith("# ")) family = line.split(" ")[2] ?? "";
    else expect(line).toMatch(new RegExp(`^${family}(_bucket|_count|_sum)?(\\{[^{}]*\\})? [0-9.e+-]+$`));
  }
  expect(lines.at(-1)).toBe("");
});
