import { recipe } from "../../tsup.base.ts";

export default recipe({
  index: "src/index.ts",
  adapter: "src/adapter.ts",
  "memory/index": "src/memory/index.ts",
  "testing/index": "src/testing/index.ts",
});
