export { type RabbitmqBroker, rabbitmqBroker } from "./broker.ts";
export { inspectRabbitmq } from "./inspect.ts";
export type { RabbitmqInspection, RabbitmqProblem } from "./inspection.ts";
export type { RabbitmqBrokerOptions, RabbitmqTlsOptions } from "./options.ts";
