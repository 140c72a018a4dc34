import { recipe } from "../../tsup.base.ts";

export default recipe({
  "deployer/index": "src/deployer/index.ts",
  "discovery/index": "src/discovery/index.ts",
});
