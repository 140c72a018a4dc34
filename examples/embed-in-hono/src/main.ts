import { story } from "./story.ts";

await story((line) => console.log(line));
