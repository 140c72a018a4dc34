// All rows, in the order of their numbers. Each is one of
//
//   { id, title, faults: [{ file, find, replace }], test: { file, name, services?, written? } }
//   { id, title, impossible: "why" }        it cannot exist here
//   { id, title, open: "what is missing" }  it is still here, or what it asks for is not there yet
//
// `find` stands exactly once in `file`. `name` is the title of the test, or a part of it. A title that is put together,
// or that stands in a kit, says in `written` where: `{ file, text }`.

import { bodies } from "./rows/bodies.mjs";
import { deploying } from "./rows/deploying.mjs";
import { models } from "./rows/models.mjs";
import { queueing } from "./rows/queueing.mjs";
import { running } from "./rows/running.mjs";
import { service } from "./rows/service.mjs";

const numberOf = ({ id }) => Number(id.slice("W-".length));

export const rows = [...running, ...queueing, ...bodies, ...models, ...deploying, ...service].sort(
  (one, other) => numberOf(one) - numberOf(other),
);
