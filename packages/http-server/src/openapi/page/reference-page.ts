import { createHash } from "node:crypto";
import { type OpenApiDocument, templateOf } from "../document.ts";
import type { JsonSchema } from "../json-schema.ts";
import { type Operation, TAGS, type Tag } from "../operation.ts";
import { escapeHtml, inline, prose } from "./escape.ts";
import { sampleCall } from "./sample-call.ts";
import { kindOf, shapeOf } from "./schema-text.ts";
import { STYLE } from "./style.ts";

const digest = createHash("sha256").update(STYLE).digest("base64");

/** Nothing is loaded, run or sent anywhere, whatever came to be in the page. */
export const PAGE_POLICY: string = `default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
}

interface Media {
  readonly schema: JsonSchema;
}

/** What the document has of an operation. */
interface Written {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content?: Record<string, Media> }>
  >;
  readonly security?: readonly object[];
}

/** The document as a page that needs no script. `base` is where the API is mounted. */
export function referencePage(
  document: OpenApiDocument,
  operations: readonly Operation[],
  base: string,
): string {
  const tags = Object.entries(TAGS) as [Tag, string][];
  const of = (tag: Tag): readonly Operation[] => operations.filter((each) => each.tag === tag);
  const navigation = tags.map(([tag]) => `<h2>${tag}</h2><ul>${of(tag).map(entry).join("")}</ul>`);
  const sections = tags.map(
    ([tag, description]) =>
      `<h2>${tag}</h2><p>${inline(description)}</p>${of(tag)
        .map((each) => section(document, each, base))
        .join("")}`,
  );
  const { title, description } = document.info;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}: HTTP API</title><style>${STYLE}</style></head>
<body><nav aria-label="Operations"><a href="${escapeHtml(base)}/openapi.json">openapi.json</a>${navigation.join("")}</nav>
<main><h1>${title}: HTTP API</h1>${prose(description)}${sections.join("")}</main></body></html>
`;
}

function methodTag(method: string): string {
  return `<span class="method ${method.toLowerCase()}">${method}</span>`;
}

function entry({ id, method, summary }: Operation): string {
  return `<li><a href="#${id}">${methodTag(method)}<span>${inline(summary)}</span></a></li>`;
}

function section(document: OpenApiDocument, operation: Operation, base: string): string {
  const { id, method, path, summary, description, guard, examples } = operation;
  const template = templateOf(path);
  const written = document.paths[template]?.[method.toLowerCase()] as unknown as Written;
  const { schemas } = document.components;
  const calls = examples.filter(({ status }) => status < 300);
  return `<section class="operation" id="${id}"><h3>${inline(summary)}</h3>
<div class="call">${methodTag(method)}<span class="path">${escapeHtml(`${base}${template}`)}</span></div>
${guard === undefined || written.security === undefined ? "" : `<p class="guard">${guardText(guard)}</p>`}
${description === undefined ? "" : prose(description)}
${parameterTable(written.parameters ?? [])}
${Object.entries(written.requestBody?.content ?? {})
  .map(([type, media]) => `<h4>Body: ${escapeHtml(type)}</h4>${shapeBlock(media.schema, schemas)}`)
  .join("")}
${calls.length === 0 ? "" : `<h4>Examples</h4>${calls.map((each) => `<pre># ${escapeHtml(each.summary)}\n${escapeHtml(sampleCall(base, method, path, each))}</pre>`).join("")}`}
<h4>Answers</h4><table>${Object.entries(written.responses)
    .map(([status, answer]) => answerRow(status, answer, schemas))
    .join("")}</table></section>`;
}

function guardText(guard: NonNullable<Operation["guard"]>): string {
  const key = "the admin's key in <code>X-Modelgate-Key</code>";
  return guard === "key-for-more" ? `Some of it needs ${key}.` : `Needs ${key}.`;
}

function parameterTable(parameters: readonly Parameter[]): string {
  if (parameters.length === 0) return "";
  const rows = parameters.map(({ name, in: place, required = false, description = "", schema }) => {
    const kind = `${place}, ${kindOf(schema)}${required ? "" : ", optional"}`;
    return `<tr><th><code>${escapeHtml(name)}</code></th><td class="kind">${escapeHtml(kind)}</td><td>${inline(description)}</td></tr>`;
  });
  return `<h4>Parameters</h4><table>${rows.join("")}</table>`;
}

function answerRow(
  status: string,
  { description, content = {} }: Written["responses"][string],
  schemas: OpenApiDocument["components"]["schemas"],
): string {
  const media = content["application/json"];
  // All errors look alike; what is worth a look is what is asked for.
  const isShown = media !== undefined && Number(status) < 300;
  const shape = isShown
    ? `<details><summary>JSON</summary>${shapeBlock(media.schema, schemas)}</details>`
    : "";
  return `<tr><th>${status}</th><td>${inline(description)}${shape}</td></tr>`;
}

function shapeBlock(schema: JsonSchema, schemas: OpenApiDocument["components"]["schemas"]): string {
  return `<pre>${escapeHtml(shapeOf(schema, schemas))}</pre>`;
}
