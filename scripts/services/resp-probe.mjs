// One real command in Redis' own protocol, so that a server is called ready when it knows the password and has read its
// data: until then it answers LOADING.

import { once } from "node:events";
import { connect } from "node:net";

const encode = (...words) =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;

/** Resolves to whether the server on `port` of 127.0.0.1 answers PING to this password. */
export async function answersPing(port, password, withinMs = 2000) {
  const socket = connect(port, "127.0.0.1");
  const timer = setTimeout(() => socket.destroy(new Error("late")), withinMs);
  try {
    await once(socket, "connect");
    socket.write(encode("AUTH", password) + encode("PING"));
    let text = "";
    for await (const chunk of socket) {
      text += String(chunk);
      if (text.split("\r\n").length > 2) return text === "+OK\r\n+PONG\r\n";
    }
    return false;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
