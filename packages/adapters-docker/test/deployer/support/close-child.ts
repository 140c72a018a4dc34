import { dockerDeployer } from "../../../src/deployer/index.ts";

const [socketPath = ""] = process.argv.slice(2);
const deployer = dockerDeployer({ socketPath });
deployer.watch("nobody", () => {});
await deployer.list("nobody");
await deployer.close();
