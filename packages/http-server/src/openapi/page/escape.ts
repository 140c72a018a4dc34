const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (each) => ENTITIES[each] ?? each);
}

/** A text of the document: paragraphs, lists with dashes, and `code`. */
export function prose(text: string): string {
  return text
    .split("\n\n")
    .map((paragraph) => {
      if (!paragraph.startsWith("- ")) return `<p>${inline(paragraph)}</p>`;
      const items = paragraph.split("\n").map((line) => `<li>${inline(line.replace(/^- /, ""))}</li>`);
      return `<ul>${items.join("")}</ul>`;
    })
    .join("");
}

export function inline(text: string): string {
  return escapeHtml(text).replace(/`([^`]+)`/g, "<code>$1</code>");
}
