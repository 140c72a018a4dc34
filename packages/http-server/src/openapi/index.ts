import { type OpenApiDocument, writeDocument } from "./document.ts";
import type { ApiFacts } from "./operation.ts";
import { describeOperations } from "./operations/index.ts";
import { PAGE_POLICY, referencePage } from "./page/reference-page.ts";

/** What is told of the API, wherever it is asked for. */
export interface Reference {
  /** The document as JSON. `base` is where the API is mounted, such as `/gateway`. */
  json(base: string): string;
  page(base: string): string;
  /** The content security policy of the page. */
  readonly pagePolicy: string;
}

export function createReference(
  facts: ApiFacts,
  { hasMetrics }: { readonly hasMetrics: boolean },
): Reference {
  const operations = describeOperations(facts).filter(({ path }) => hasMetrics || path !== "/metrics");
  const { openapi, info, ...rest }: OpenApiDocument = writeDocument(operations, facts);
  return {
    json: (base) => JSON.stringify({ openapi, info, servers: [{ url: base === "" ? "/" : base }], ...rest }),
    page: (base) => referencePage({ openapi, info, ...rest } as OpenApiDocument, operations, base),
    pagePolicy: PAGE_POLICY,
  };
}
