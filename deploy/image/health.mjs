// The health check of the image, which has no curl: whether the process that runs here says that it is well.
//
//   node health.mjs [PORT [PATH]]     of a scheduler or reaper; without a port, of a gateway at MODELGATE_PORT

import { get } from "node:http";

const { MODELGATE_PORT, MODELGATE_BASE_PATH } = process.env;
const [, , port = MODELGATE_PORT || 8888, path = `${MODELGATE_BASE_PATH ?? ""}/health`] = process.argv;
const limitMs = 4000;

function end(code, sentence) {
  console.log(sentence);
  process.exit(code);
}

// `node:http` and not `fetch`, which takes twice the memory: this runs within the limit of the container.
get({ host: "127.0.0.1", port, path, timeout: limitMs }, (answer) => {
  answer.resume();
  end(answer.statusCode === 200 ? 0 : 1, `${path} answered ${answer.statusCode}`);
})
  .on("timeout", () => end(1, `${path} did not answer within ${limitMs} ms`))
  .on("error", (error) => end(1, `${path} cannot be asked: ${error.code ?? error.message}`));
