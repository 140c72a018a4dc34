// The Python client of CogStack's own gateway, unmodified, as its users have it. It is no server: all that there is to
// start is a Python that can import it.

import { keepVenv } from "./python-venv.mjs";

const requirements = [
  "cogstack-model-gateway-client==0.2.0",
  "anyio==4.16.0",
  "certifi==2026.10.18",
  "h11==0.16.0",
  "httpcore==1.0.9",
  "httpx==0.28.1",
  "idna==3.20",
  "tenacity==9.2.1",
  "typing-extensions==4.16.0",
];

/** Installs it unless that was done before; resolves to the Python that has it. */
export function installPythonClient({ say } = {}) {
  return keepVenv({ name: "python-client", requirements, say });
}

export async function startPythonClient(options) {
  return {
    name: "python-client",
    env: { CMG_CLIENT_PYTHON: await installPythonClient(options) },
    async close() {},
  };
}
