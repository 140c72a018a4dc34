// The first half of a conversation in AMQP 0-9-1, up to where the broker has taken the password, so that one is called
// ready when clients may come in: it listens seconds before.

import { once } from "node:events";
import { connect } from "node:net";

const methodFrame = 1;
const frameEnd = 0xce;
const connectionClass = 10;
const startMethod = 10;
const tuneMethod = 30;

const shortText = (text) => Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)]);

function longText(text) {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(Buffer.byteLength(text));
  return Buffer.concat([head, Buffer.from(text)]);
}

/** Connection.StartOk without properties of a client. */
function startOk(username, password) {
  const body = Buffer.concat([
    Buffer.from([0, connectionClass, 0, startMethod + 1, 0, 0, 0, 0]),
    shortText("PLAIN"),
    longText(`\0${username}\0${password}`),
    shortText("en_US"),
  ]);
  const head = Buffer.alloc(7);
  head.writeUInt8(methodFrame, 0);
  head.writeUInt32BE(body.length, 3);
  return Buffer.concat([head, body, Buffer.from([frameEnd])]);
}

/** Resolves to whether the broker on `port` of 127.0.0.1 lets this user in. */
export async function answersLogin(port, username, password, withinMs = 5000) {
  const socket = connect(port, "127.0.0.1");
  const timer = setTimeout(() => socket.destroy(new Error("late")), withinMs);
  try {
    await once(socket, "connect");
    socket.write("AMQP\0\0\x09\x01");
    let bytes = Buffer.alloc(0);
    for await (const chunk of socket) {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 12 && bytes.length >= 8 + bytes.readUInt32BE(3)) {
        const method = bytes.readUInt16BE(7) === connectionClass ? bytes.readUInt16BE(9) : undefined;
        if (method !== startMethod) return method === tuneMethod;
        socket.write(startOk(username, password));
        bytes = bytes.subarray(8 + bytes.readUInt32BE(3));
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
