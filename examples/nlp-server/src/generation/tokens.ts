const tokenPattern = /\s?[\p{L}\p{N}]+|\s?[^\s\p{L}\p{N}]|\s+/gu;

/** Cuts a text into words, signs and white space. Joined they are the text again. */
export function tokensIn(text: string): string[] {
  return text.match(tokenPattern) ?? [];
}
