export { type Config, defineConfig } from "./command/settings/define-config.ts";
export { createMetrics, type Metrics, type MetricsOptions } from "./metrics/create-metrics.ts";
export { type TimedLedger, timeLedger } from "./metrics/time-ledger.ts";
export type { HttpOptions } from "./options.ts";
export type { AnsweredRequest, OnRequest } from "./requests/answered-request.ts";
export { createHttpHandler, type HttpHandler } from "./web/http-handler.ts";
export type { FetchEnvironment } from "./web/web-request.ts";
