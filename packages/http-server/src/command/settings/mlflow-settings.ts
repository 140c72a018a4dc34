import { isHttpUrl, text, textThat, wholeNumber } from "./kinds.ts";
import { DEPLOYING, type SettingTable } from "./setting.ts";
import { shownAddress } from "./shown-address.ts";

const DAY_MS = 86_400_000;
const commands = DEPLOYING;

const httpUrl = textThat(
  "URL",
  "address",
  isHttpUrl,
  "give an address that begins with http:// or https://, without a query",
);

/** The tracker that the gateway itself asks; what model servers are told of one is `cms.tracking`. */
export const MLFLOW_SETTINGS = {
  "mlflow.url": {
    kind: httpUrl,
    defaultText: "none",
    isSecret: true,
    shown: shownAddress,
    commands,
    text: "address of the MLflow that is asked for models and runs",
  },
  "mlflow.publicUrl": {
    kind: httpUrl,
    defaultText: "`mlflow.url`",
    isSecret: true,
    shown: shownAddress,
    commands,
    text: "address under which people open its pages, for links in results",
  },
  "mlflow.username": {
    kind: text("NAME"),
    defaultText: "none",
    commands,
    text: "user of MLflow",
  },
  "mlflow.password": {
    kind: text("PASSWORD"),
    defaultText: "none",
    isSecret: true,
    commands,
    text: "password of that user",
  },
  "mlflow.token": {
    kind: text("TOKEN"),
    defaultText: "none",
    isSecret: true,
    commands,
    text: "token, in place of a user and a password",
  },
  "mlflow.timeoutMs": {
    kind: wholeNumber(100, 600_000),
    default: 10_000,
    unit: "ms",
    commands,
    text: "longest wait for an answer of MLflow",
  },
  "mlflow.cacheMs": {
    kind: wholeNumber(0, DAY_MS),
    default: 300_000,
    unit: "ms",
    commands,
    text: "how long what MLflow says of a model is remembered; runs never are",
  },
} as const satisfies SettingTable;
