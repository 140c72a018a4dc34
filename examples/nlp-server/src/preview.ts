/** An entity to be shown. Offsets are those of the text it is shown with: any unit will do that `slice` understands. */
export interface ShownEntity {
  start: number;
  end: number;
  label: string;
  id: string;
}

const markStyle =
  "background: #ddd; padding: 0.45em 0.6em; margin: 0 0.25em; line-height: 1; border-radius: 0.35em;";
const labelStyle =
  "font-size: 0.8em; font-weight: bold; line-height: 1; border-radius: 0.35em; vertical-align: middle; margin-left: 0.5rem";
const linkStyle = "text-decoration: none; color: inherit; font-weight: normal";

/**
 * A text with its entities marked, in the elements and classes of spaCy's displaCy, which CMS shows them with. The
 * entities must be in order of their start.
 */
export function renderEntities(
  slice: (start: number, end?: number) => string,
  entities: readonly ShownEntity[],
  title?: string,
): string {
  let content = "";
  let cursor = 0;
  for (const { start, end, label, id } of entities) {
    const link = `<a style="${linkStyle}" href="#">${escapeHtml(id)}</a>`;
    const caption = `<span style="${labelStyle}">${escapeHtml(label)} ${link}</span>`;
    content += escapeText(slice(cursor, Math.max(cursor, start)));
    content += `<mark class="entity" style="${markStyle}">${escapeHtml(slice(start, end))} ${caption}</mark>`;
    cursor = end;
  }
  content += escapeText(slice(cursor));
  const heading = title === undefined ? "" : `<h2 style="margin: 0">${escapeHtml(title)}</h2>\n`;
  return `${heading}<div class="entities" style="line-height: 2.5; direction: ltr">${content}</div>`;
}

/** Lines end in `<br>`, so that `<br/>` stands only between documents. */
function escapeText(text: string): string {
  return escapeHtml(text).replaceAll("\n", "<br>");
}

function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
