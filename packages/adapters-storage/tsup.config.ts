import { recipe } from "../../tsup.base.ts";

export default recipe({
  "filesystem/index": "src/filesystem/index.ts",
  "sqlite/index": "src/sqlite/index.ts",
  "sqlite/worker": "src/sqlite/worker.ts",
});
