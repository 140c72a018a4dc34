// Writes docs/reference/options.md and events.md from the doc comments of the types, and the table of configuration.md
// from the settings, so that neither can lag behind the other: `npm run docs` writes them, `npm run docs -- --check`
// fails when they differ, and a test does the same.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { configurationPage } from "./lib/settings-table.mjs";

const root = new URL("../", import.meta.url);

/** Package, title, and the interfaces whose members it has: file and name. */
const OPTIONS = [
  ["@modelgate/core", "createGateway(options)", [["packages/core/src/gateway-api.ts", "GatewayOptions"]]],
  ["@modelgate/core", "gateway.submit(request)", [["packages/core/src/gateway-api.ts", "SubmitRequest"]]],
  ["@modelgate/core", "gateway.list(request)", [["packages/core/src/contracts/ledger.ts", "ListRequest"]]],
  ["@modelgate/core", "cmsProtocol(options)", [["packages/core/src/protocols/cms.ts", "CmsProtocolOptions"]]],
  [
    "@modelgate/core",
    "staticDiscovery(options)",
    [["packages/core/src/discovery/static.ts", "StaticDiscoveryOptions"]],
  ],
  [
    "@modelgate/core",
    "staticDiscovery({ servers })",
    [["packages/core/src/discovery/static-servers.ts", "StaticServer"]],
  ],
  [
    "@modelgate/core",
    "composeLedger(store, queue, options)",
    [["packages/core/src/composed-ledger/compose-ledger.ts", "ComposeLedgerOptions"]],
  ],
  [
    "@modelgate/core",
    "sweepObjects(options)",
    [["packages/core/src/reconciler/sweep-objects.ts", "SweepObjectsOptions"]],
  ],
  [
    "@modelgate/core/memory",
    "memoryLedger(options)",
    [["packages/core/src/memory/ledger.ts", "MemoryLedgerOptions"]],
  ],
  [
    "@modelgate/core/memory",
    "memoryObjectStore(options)",
    [["packages/core/src/memory/object-store.ts", "MemoryObjectStoreOptions"]],
  ],
  [
    "@modelgate/core/memory",
    "memoryProtocol(options)",
    [["packages/core/src/memory/protocol.ts", "MemoryProtocolOptions"]],
  ],
  [
    "@modelgate/adapters-storage/sqlite",
    "sqliteStore(options)",
    [["packages/adapters-storage/src/sqlite/sqlite-store.ts", "SqliteStoreOptions"]],
  ],
  [
    "@modelgate/adapters-storage/filesystem",
    "filesystemObjectStore(options)",
    [["packages/adapters-storage/src/filesystem/object-store.ts", "FilesystemObjectStoreOptions"]],
  ],
  [
    "@modelgate/adapters-storage/postgres",
    "postgresStore(options)",
    [["packages/adapters-storage/src/postgres/options.ts", "PostgresStoreOptions"]],
  ],
  [
    "@modelgate/adapters-storage/postgres",
    "tls of postgresStore(options)",
    [["packages/adapters-storage/src/postgres/options.ts", "PostgresTlsOptions"]],
  ],
  [
    "@modelgate/adapters-storage/s3",
    "s3ObjectStore(options)",
    [["packages/adapters-storage/src/s3/options.ts", "S3ObjectStoreOptions"]],
  ],
  [
    "@modelgate/core",
    "deployments of createGateway(options)",
    [["packages/core/src/deployments/api.ts", "DeploymentsOptions"]],
  ],
  [
    "@modelgate/adapters-docker/discovery",
    "dockerDiscovery(options)",
    [
      ["packages/adapters-docker/src/discovery/options.ts", "DockerDiscoveryOptions"],
      ["packages/adapters-docker/src/connection/options.ts", "DockerConnectionOptions"],
    ],
  ],
  [
    "@modelgate/adapters-docker/deployer",
    "dockerDeployer(options)",
    [
      ["packages/adapters-docker/src/deployer/options.ts", "DockerDeployerOptions"],
      ["packages/adapters-docker/src/connection/options.ts", "DockerConnectionOptions"],
    ],
  ],
  [
    "@modelgate/adapters-mlflow",
    "mlflowTracking(options)",
    [["packages/adapters-mlflow/src/options.ts", "MlflowTrackingOptions"]],
  ],
  [
    "@modelgate/http-server",
    "createHttpHandler(gateway, options)",
    [["packages/http-server/src/options.ts", "HttpOptions"]],
  ],
  [
    "@modelgate/http-server/node",
    "serveHttp(gateway, options)",
    [["packages/http-server/src/node/serve-http.ts", "ServeOptions"]],
  ],
];

const OPTIONS_INTRO = `# Options

Every option of every public function. Made from the types by \`npm run docs\`; do not edit it by hand.

What ends in \`Ms\` is in milliseconds, what ends in \`Bytes\` in bytes. An option out of range is refused with
\`INVALID_OPTIONS\`, whose \`details.field\` names it. Options without a default and without **required** may be left
out. The settings of the command, which sets most of these, are in [configuration](configuration.md).
`;

const EVENTS_INTRO = `# Events

What \`gateway.events\` tells, such as \`gateway.events.on("task:ended", ({ id, state }) => …)\`. Made from the types by
\`npm run docs\`; do not edit it by hand.

Events are observations of this process: nothing inside depends on a listener, a listener that throws is told as
\`listener:failed\`, and no event holds a payload, a result or a word of a server. A task that another process ends is
not told here; \`gateway.wait\` sees it.
`;

function interfaceOf(file, name) {
  const source = ts.createSourceFile(
    file,
    readFileSync(new URL(file, root), "utf8"),
    ts.ScriptTarget.Latest,
    true,
  );
  const found = source.statements.find((node) => ts.isInterfaceDeclaration(node) && node.name.text === name);
  if (found === undefined) throw new Error(`${file} has no interface ${name}`);
  return found;
}

function docOf(node) {
  const texts = ts
    .getJSDocCommentsAndTags(node)
    .map(({ comment }) => (typeof comment === "string" ? comment : ""));
  return texts.join(" ").replace(/\s+/g, " ").trim();
}

function cell(text) {
  return text.replaceAll("|", "\\|");
}

function typeOf(member) {
  const text = member.type
    .getText()
    .replace(/\s+/g, " ")
    .replaceAll(/readonly (?!\w+\[\])/g, "");
  return text
    .replaceAll(/ ?\| undefined\b/g, "")
    .replace(/^\| /, "")
    .trim();
}

function optionsPage() {
  const sections = OPTIONS.map(([from, title, interfaces]) => {
    const rows = interfaces.flatMap(([file, name]) => {
      return interfaceOf(file, name).members.map((member) => {
        const isRequired = member.questionToken === undefined;
        const doc = `${isRequired ? "**required.** " : ""}${docOf(member)}`.trim();
        return `| \`${member.name.getText()}\` | \`${cell(typeOf(member))}\` | ${cell(doc)} |`;
      });
    });
    return [
      `## \`${title}\``,
      "",
      `From \`${from}\`.`,
      "",
      "| option | type | is |",
      "| --- | --- | --- |",
      ...rows,
    ].join("\n");
  });
  return `${OPTIONS_INTRO}\n${sections.join("\n\n")}\n`;
}

function eventsPage() {
  const file = "packages/core/src/events.ts";
  const shapes = Object.fromEntries(
    ["TaskEvent", "AttemptEvent"].map((name) => [name, fieldsOf(interfaceOf(file, name))]),
  );
  shapes.AttemptEvent = [...shapes.TaskEvent, ...shapes.AttemptEvent];
  const rows = interfaceOf(file, "GatewayEvents").members.map((member) => {
    const [parameter] = member.type.parameters;
    const fields = partsOf(parameter.type).flatMap((part) =>
      ts.isTypeLiteralNode(part) ? fieldsOf(part) : shapes[part.getText()],
    );
    return `| \`${member.name.text}\` | ${cell(docOf(member))} | ${fields.map((field) => `\`${field}\``).join(", ")} |`;
  });
  return `${EVENTS_INTRO}\n| event | when | has |\n| --- | --- | --- |\n${rows.join("\n")}\n`;
}

function partsOf(type) {
  return ts.isIntersectionTypeNode(type) ? type.types : [type];
}

function fieldsOf(node) {
  return node.members.map(
    (member) => `${member.name.getText()}${member.questionToken === undefined ? "" : "?"}`,
  );
}

const isCheck = process.argv.includes("--check");
for (const [name, page] of [
  ["options.md", optionsPage()],
  ["events.md", eventsPage()],
  ["configuration.md", await configurationPage(new URL("docs/reference/configuration.md", root))],
]) {
  const url = new URL(`docs/reference/${name}`, root);
  if (!isCheck) writeFileSync(url, page);
  else if (readFileSync(url, "utf8") !== page) {
    console.error(`${fileURLToPath(url)} does not say what the types say; run npm run docs.`);
    process.exitCode = 1;
  }
}
