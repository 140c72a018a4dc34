import { recipe } from "../../tsup.base.ts";

export default recipe({ index: "src/index.ts", node: "src/node.ts", cli: "src/cli.ts" });
