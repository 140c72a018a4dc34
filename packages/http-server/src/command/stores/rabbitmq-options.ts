import type { RabbitmqBrokerOptions } from "@modelgate/adapters-storage/rabbitmq";
import type { Settings } from "../settings/settings.ts";
import { brokerTls } from "./broker-tls.ts";

/** What the settings say of RabbitMQ, for its adapter. Throws `CommandError` for a file that cannot be read. */
export function rabbitmqOptions(settings: Settings): RabbitmqBrokerOptions {
  const urls = settings["rabbitmq.urls"] ?? [];
  return {
    url: settings["rabbitmq.url"],
    urls: urls.length === 0 ? undefined : urls,
    username: settings["rabbitmq.username"],
    password: settings["rabbitmq.password"],
    vhost: settings["rabbitmq.vhost"],
    tls: brokerTls(settings, "rabbitmq"),
    prefix: settings["rabbitmq.prefix"],
    queueType: settings["rabbitmq.queueType"],
    connectTimeoutMs: settings["rabbitmq.connectTimeoutMs"],
    operationTimeoutMs: settings["rabbitmq.operationTimeoutMs"],
    heartbeatMs: settings["rabbitmq.heartbeatMs"],
    connectionName: "modelgate",
  };
}
