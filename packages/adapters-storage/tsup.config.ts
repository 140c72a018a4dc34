import { recipe } from "../../tsup.base.ts";

export default recipe({
  "filesystem/index": "src/filesystem/index.ts",
  "postgres/index": "src/postgres/index.ts",
  "rabbitmq/index": "src/rabbitmq/index.ts",
  "redis/index": "src/redis/index.ts",
  "s3/index": "src/s3/index.ts",
  "sqlite/index": "src/sqlite/index.ts",
  "sqlite/worker": "src/sqlite/worker.ts",
});
