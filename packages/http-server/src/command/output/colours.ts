const CODES = { green: 32, yellow: 33, red: 31 } as const;

export type Colour = keyof typeof CODES;

/** Colours for a terminal, unless its user wants none (https://no-color.org). */
export function colours(stream: { readonly isTTY?: boolean }): (text: string, colour: Colour) => string {
  const isColoured = stream.isTTY === true && (process.env["NO_COLOR"] ?? "") === "";
  return (text, colour) => (isColoured ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text);
}
