// Builds the images that tests with containers run, in a Docker Engine, from what is on this machine.
//
//   node scripts/images/build.mjs --socket PATH [--image test-server|nlp-server] [--tag NAME]

import { parseArgs } from "node:util";
import { buildNlpServer } from "./nlp-server-image.mjs";
import { buildTestServer } from "./test-server-image.mjs";

const builds = { "test-server": buildTestServer, "nlp-server": buildNlpServer };

function usage(sentence) {
  console.error(sentence);
  process.exit(2);
}

function readArguments() {
  const options = {
    socket: { type: "string", default: process.env.DOCKER_SOCKET },
    image: { type: "string", default: "test-server" },
    tag: { type: "string" },
  };
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return usage(error.message);
  }
}

const { socket, image, tag } = readArguments();
if (socket === undefined) usage("--socket is missing; give the path of an engine's socket");
const build = builds[image];
if (build === undefined) usage(`--image is "${image}"; give one of ${Object.keys(builds).join(", ")}`);
console.log(await build(socket, { tag }));
