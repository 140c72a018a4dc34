import { openEngine } from "./engine.ts";
import { story } from "./story.ts";

const engine = await openEngine((line) => console.log(line));
try {
  await story(engine.socketPath, (line) => console.log(line));
} finally {
  await engine.close();
}
