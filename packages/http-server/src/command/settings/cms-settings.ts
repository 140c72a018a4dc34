import { isHttpUrl, oneOf, text, textThat, wholeNumber, yesOrNo } from "./kinds.ts";
import { type TextMap, textList, textMap } from "./list-kinds.ts";
import { decimal, size } from "./measure-kinds.ts";
import { DEPLOYING, type SettingTable } from "./setting.ts";
import { shownAddress } from "./shown-address.ts";

const DAY_S = 86_400;
const commands = DEPLOYING;

const httpUrl = textThat(
  "URL",
  "address",
  isHttpUrl,
  "give an address that begins with http:// or https://, without a query",
);

/** How a CogStack ModelServe is started; the names follow those of the CogStack Model Gateway's own file. */
export const CMS_SETTINGS = {
  "cms.image": {
    kind: text("IMAGE"),
    default: "cogstacksystems/cogstack-modelserve:latest",
    commands,
    text: "image of a model server",
  },
  "cms.pull": {
    kind: oneOf(["missing", "always", "never"], "WHEN"),
    default: "missing",
    commands,
    text: "when the image is looked up in its registry",
  },
  "cms.modelType": {
    kind: text("TYPE"),
    default: "medcat_umls",
    commands,
    text: "type of a model whose own nobody tells",
  },
  "cms.program": {
    kind: textList("WORD", "texts", isArgument, "give texts that are not empty"),
    defaultText: "`/.venv/bin/python` `cli/cli.py`",
    commands,
    text: "program in the image, and first words",
  },
  "cms.extraArgs": {
    kind: textList("WORD", "texts", isArgument, "give texts that are not empty"),
    defaultText: "none",
    commands,
    text: "what the program is told beside the usual",
  },
  "cms.serverPort": {
    kind: wholeNumber(1, 65_535),
    default: 8000,
    commands,
    text: "port that a model server listens on inside",
  },
  "cms.volumes": {
    kind: textMap("NAME=PATH", undefined, "give NAME=PATH, where PATH is absolute and may end in :ro"),
    default: { "retrained-models": "/app/model/retrained" } as TextMap,
    defaultText: "`retrained-models=/app/model/retrained`",
    commands,
    text: "volumes or folders inside",
  },
  "cms.memory": {
    kind: size,
    defaultText: "no limit",
    commands,
    text: "memory that a server may take, unless asked otherwise",
  },
  "cms.cpus": {
    kind: decimal(0.01, 100_000),
    defaultText: "no limit",
    commands,
    text: "CPUs that a server may take, unless asked otherwise",
  },
  "cms.shmSize": {
    kind: size,
    defaultText: "the engine's",
    commands,
    text: "shared memory of a model server",
  },
  "cms.user": {
    kind: text("USER"),
    defaultText: "the image's",
    commands,
    text: "user that a model server runs as",
  },
  "cms.enableTrainingApis": {
    kind: yesOrNo,
    default: true,
    commands,
    text: "whether model servers train",
  },
  "cms.enableEvaluationApis": {
    kind: yesOrNo,
    default: true,
    commands,
    text: "whether model servers evaluate",
  },
  "cms.enablePreviewsApis": {
    kind: yesOrNo,
    default: true,
    commands,
    text: "whether model servers make previews",
  },
  "cms.gelfInputUri": {
    kind: textThat(
      "URL",
      "address",
      (url) => URL.canParse(url),
      "give an address such as http://graylog:12201",
    ),
    defaultText: "none",
    isSecret: true,
    shown: shownAddress,
    commands,
    text: "receiver of what model servers log",
  },
  "cms.username": {
    kind: text("NAME"),
    defaultText: "none",
    commands,
    text: "user that the gateway logs in as at model servers",
  },
  "cms.password": {
    kind: text("PASSWORD"),
    defaultText: "none",
    isSecret: true,
    commands,
    text: "password of that user",
  },
  "cms.token": {
    kind: text("TOKEN"),
    defaultText: "none",
    isSecret: true,
    commands,
    text: "token for model servers, in place of a user and a password",
  },
  "cms.tracking.uri": {
    kind: text("URL"),
    defaultText: "none",
    isSecret: true,
    shown: shownAddress,
    commands,
    text: "MLflow as model servers reach it",
  },
  "cms.tracking.username": {
    kind: text("NAME"),
    defaultText: "none",
    commands,
    text: "user of MLflow",
  },
  "cms.tracking.password": {
    kind: text("PASSWORD"),
    defaultText: "none",
    isSecret: true,
    commands,
    text: "password of that user",
  },
  "cms.tracking.enableSystemMetricsLogging": {
    kind: yesOrNo,
    default: true,
    commands,
    text: "whether trainings log what they take of the machine",
  },
  "cms.tracking.s3.endpointUrl": {
    kind: httpUrl,
    defaultText: "none",
    isSecret: true,
    shown: shownAddress,
    commands,
    text: "S3 service of MLflow as model servers reach it",
  },
  "cms.tracking.s3.accessKeyId": {
    kind: text("KEY"),
    defaultText: "none",
    isSecret: true,
    commands,
    text: "access key for it",
  },
  "cms.tracking.s3.secretAccessKey": {
    kind: text("KEY"),
    defaultText: "none",
    isSecret: true,
    commands,
    text: "secret key that belongs to it",
  },
  "cms.auth.userEnabled": {
    kind: yesOrNo,
    default: false,
    commands,
    text: "whether model servers ask who calls",
  },
  "cms.auth.jwtSecret": {
    kind: text("TEXT"),
    defaultText: "none",
    isSecret: true,
    commands,
    text: "what they sign tokens with",
  },
  "cms.auth.accessTokenExpireSeconds": {
    kind: wholeNumber(1, 3650 * DAY_S),
    default: 3600,
    commands,
    text: "how long their tokens are good for, in seconds",
  },
  "cms.auth.databaseUrl": {
    kind: text("URL"),
    default: "sqlite+aiosqlite:///./cms-users.db",
    isSecret: true,
    shown: shownAddress,
    commands,
    text: "where their users are",
  },
  "cms.proxy.httpProxy": {
    kind: httpUrl,
    defaultText: "none",
    isSecret: true,
    shown: shownAddress,
    commands,
    text: "proxy of model servers for http",
  },
  "cms.proxy.httpsProxy": {
    kind: httpUrl,
    defaultText: "none",
    isSecret: true,
    shown: shownAddress,
    commands,
    text: "proxy of model servers for https",
  },
  "cms.proxy.noProxy": {
    kind: text("HOSTS"),
    default: "mlflow-ui,minio,graylog,auth-db,localhost",
    commands,
    text: "reached without it",
  },
} as const satisfies SettingTable;

function isArgument(text: string): boolean {
  return text !== "" && !text.includes("\0");
}
