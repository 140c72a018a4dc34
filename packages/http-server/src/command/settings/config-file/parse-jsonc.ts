/**
 * JSON in which there may be comments and a comma after the last of several. They become spaces of the same length, so
 * that a parser's places are those of the file.
 */
export function withoutComments(text: string): string {
  // A string comes first, so that nothing in it is taken for a comment.
  const blank = (found: string): string => found.replace(/[^\n]/g, " ");
  const parts = /"(?:[^"\\\n]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  const bare = text.replace(parts, (found) => (found.startsWith('"') ? found : blank(found)));
  const commas = /"(?:[^"\\\n]|\\.)*"|,(?=\s*[}\]])/g;
  return bare.replace(commas, (found) => (found.startsWith('"') ? found : " "));
}
