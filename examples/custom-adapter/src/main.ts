import { story } from "./story.ts";

// The timers of a gateway do not keep a process alive. In an application something else does, such as its server.
const alive = setInterval(() => {}, 60_000);
try {
  await story((line) => console.log(line));
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  clearInterval(alive);
}
