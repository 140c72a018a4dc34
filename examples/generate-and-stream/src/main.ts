import { story } from "./story.ts";

try {
  await story((line) => console.log(line));
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
