import type { Step } from "./trap.ts";

const engine = (name: string, call: RegExp): Step => ({ name, at: "engine", is: (text) => call.test(text) });
const store = (name: string, is: (book: string) => boolean): Step => ({ name, at: "store", is });

/** What a gateway does of a deployment until its server is known to be ready, in this order. */
export const DEPLOYING: readonly Step[] = [
  store("write the intent", (book) => book.includes('"phase":"deploying"') && !book.includes('"server":{')),
  engine("pull the image", /^POST \/images\/create$/),
  engine("make the container", /^POST \/containers\/create$/),
  engine("start it", /^POST \/containers\/[0-9a-f]{64}\/start$/),
  store("write that it is ready", (book) => book.includes('"phase":"ready"')),
];

/** And what it does of its end. */
export const REMOVING: readonly Step[] = [
  store("write that it is draining", (book) => book.includes('"phase":"draining"')),
  store("write that it stops", (book) => book.includes('"phase":"stopping"')),
  engine("stop the container", /^POST \/containers\/[0-9a-f]{64}\/stop$/),
  engine("remove it", /^DELETE \/containers\/[0-9a-f]{64}$/),
  store("forget it", (book) => book.includes('"entries":[]')),
];
