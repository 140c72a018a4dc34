/** A header value of a model server if it can be sent on as it is. */
export function headerValue(text: string | undefined): string | undefined {
  return text !== undefined && /^[\t\x20-\x7e\x80-\xff]+$/.test(text) ? text : undefined;
}
