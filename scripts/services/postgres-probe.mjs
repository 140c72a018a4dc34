// One real query in PostgreSQL's own protocol, so that a server is called ready when it answers, without a driver: the
// launcher depends on nothing. It goes over the Unix socket, where no password is asked.

import { once } from "node:events";
import { connect } from "node:net";

function startup(user) {
  const text = Buffer.from(`user\0${user}\0database\0postgres\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + text.length, 0);
  head.writeInt32BE(0x0003_0000, 4);
  return Buffer.concat([head, text]);
}

function query(text) {
  const body = Buffer.from(`${text}\0`);
  const head = Buffer.alloc(5);
  head.write("Q");
  head.writeInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
}

/** The types of the messages in `bytes`, one letter each; half a message at the end is left out. */
function messageTypes(bytes) {
  let types = "";
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 1 + bytes.readInt32BE(at + 1);
    if (end > bytes.length) break;
    types += String.fromCharCode(bytes[at]);
    at = end;
  }
  return types;
}

/** Resolves to whether the server behind the socket `path` answers a query with a row. */
export async function answersQuery(path, user, withinMs = 2000) {
  const socket = connect(path);
  const timer = setTimeout(() => socket.destroy(new Error("late")), withinMs);
  try {
    await once(socket, "connect");
    socket.write(startup(user));
    let bytes = Buffer.alloc(0);
    let isAsked = false;
    for await (const chunk of socket) {
      bytes = Buffer.concat([bytes, chunk]);
      const types = messageTypes(bytes);
      if (types.includes("E")) return false;
      if (!isAsked && types.endsWith("Z")) {
        isAsked = true;
        socket.write(query("select 1"));
      } else if (isAsked && types.endsWith("Z")) {
        return types.includes("D");
      }
    }
    return false;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
