// Colours and widths of a terminal. Everything printed goes through here, so that a pipe gets plain text.

const isColourful = process.stdout.isTTY && process.env.NO_COLOR === undefined;

function sgr(code) {
  return (text) => (isColourful ? `\u001b[${code}m${text}\u001b[0m` : String(text));
}

export const bold = sgr(1);
export const dim = sgr(2);
export const red = sgr(31);
export const green = sgr(32);
export const yellow = sgr(33);
export const cyan = sgr(36);
export const magenta = sgr(35);
export const blue = sgr(34);

/** Columns that a text takes: emoji take two, and what combines with the sign before it none. */
export function widthOf(text) {
  let width = 0;
  for (const sign of text) {
    if (/\p{M}|\u200d|\ufe0f/u.test(sign)) continue;
    width += /\p{Extended_Pictographic}/u.test(sign) && sign.length > 1 ? 2 : 1;
  }
  return width;
}

export function padEnd(text, width) {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}
