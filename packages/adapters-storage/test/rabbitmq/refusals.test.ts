import { readFileSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import { inspectRabbitmq, rabbitmqBroker } from "../../src/rabbitmq/index.ts";
import { requireService } from "../support/services.ts";
import { entryOf, manage, newPrefix, openBroker, removeAll, takeIds } from "./brokers.ts";

const url = requireService("AMQP_URL") ?? "";
const prefix = newPrefix();

describe("options", () => {
  it.each([
    [{}, "url"],
    [{ url: "http://secret@host" }, "url"],
    [{ url: "nonsense secret" }, "url"],
    [{ url: "amqp://h", urls: ["amqp://h"] }, "urls"],
    [{ urls: [] }, "urls"],
    [{ url: "amqp://h", prefix: "a b" }, "prefix"],
    [{ url: "amqp://h", prefix: "x".repeat(65) }, "prefix"],
    [{ url: "amqp://h", queueType: "stream" as never }, "queueType"],
    [{ url: "amqp://h", heartbeatMs: 10 }, "heartbeatMs"],
    [{ url: "amqp://h", operationTimeoutMs: 0.5 }, "operationTimeoutMs"],
    [{ url: "amqps://h", tls: false }, "tls"],
  ])("%j is refused, and names %s", (options, field) => {
    const make = (): unknown => rabbitmqBroker(options);
    expect(make).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS", details: { field } }));
    expect(make).not.toThrow(/secret/);
  });
});

describe.skipIf(url === "")("RabbitMQ", () => {
  it.each([
    [{ password: "a wrong secret" }, "password"],
    [{ vhost: "nowhere" }, "vhost"],
    [{ url: "amqp://127.0.0.1:1" }, "url"],
    [{ url: "amqp://nowhere.invalid" }, "url"],
    [{ url: url.replace("amqp://", "amqps://") }, "tls"],
    [
      {
        password: () => {
          throw new Error("a secret");
        },
      },
      "password",
    ],
  ])("%j fails with STORE_UNAVAILABLE, and names %s", async (options, field) => {
    const { queue, wakeups } = openBroker({ url, prefix, connectTimeoutMs: 3_000, ...options });
    const calls = [
      () => queue.enqueue([entryOf("a")]),
      () => queue.incarnation(),
      () => wakeups.publish("work", ["m"]),
    ];
    for (const call of calls) {
      const error: unknown = await call().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", details: { field } });
      expect(`${(error as Error).message} ${(error as Error).cause}`).not.toContain("secret");
    }
    const inspection = await inspectRabbitmq({ url, prefix, connectTimeoutMs: 3_000, ...options });
    expect(inspection).toMatchObject({ isReached: false, problems: [{ step: "connect", field }] });
  });

  it("is reached by the next address when one does not answer, with the password of a function", async () => {
    const { username, password } = new URL(url);
    const plain = url.replace(`${username}:${password}@`, "");
    const { queue } = openBroker({
      urls: ["amqp://127.0.0.1:1", plain],
      ...{ username, prefix, password: async () => password },
    });
    await queue.enqueue([entryOf("a")]);
    expect(await takeIds(queue)).toEqual(["a"]);
    await queue.close();
    await removeAll(url, prefix, ["m"]);
  });

  it("is inspected", async () => {
    const found = await inspectRabbitmq({ url, prefix });
    expect(found).toMatchObject({
      ...{ isReached: true, product: "RabbitMQ", tls: "none", vhost: "/", queueType: "quorum" },
      ...{ canConfigure: true, canWrite: true, canRead: true, alarm: "none", problems: [] },
    });
    expect(found.serverVersion).toMatch(/^\d+\.\d+\.\d+/);
  });

  it("is spoken to over TLS with its authority only", async () => {
    const secure = requireService("AMQP_TLS_URL") ?? "";
    const ca = readFileSync(requireService("AMQP_CA_FILE") ?? "", "utf8");
    expect(await inspectRabbitmq({ url: secure, prefix, tls: { ca } })).toMatchObject({
      ...{ tls: "TLSv1.3", problems: [] },
    });
    const untrusted = await inspectRabbitmq({ url: secure, prefix });
    expect(untrusted).toMatchObject({ isReached: false, problems: [{ step: "connect", field: "tls" }] });
    expect(await inspectRabbitmq({ url: secure, prefix, tls: { verify: false } })).toMatchObject({
      problems: [],
    });
    const named = await inspectRabbitmq({ url: secure, prefix, tls: { ca, serverName: "another" } });
    expect(named.problems).toMatchObject([{ step: "connect", field: "tls" }]);
  });

  it("says which right its user lacks, and works with those that the page names", async () => {
    const name = newPrefix();
    await manage("PUT", `vhosts/${name}`);
    onTestFinished(async () => {
      await manage("DELETE", `vhosts/${name}`);
      await manage("DELETE", `users/${name}`);
    });
    await manage("PUT", `users/${name}`, { password: "secret", tags: "" });
    const options = { url, username: name, password: "secret", vhost: name };
    expect((await inspectRabbitmq(options)).problems).toMatchObject([{ field: "vhost" }]);
    const grant = (configure: string, write: string, read: string): Promise<unknown> =>
      manage("PUT", `permissions/${name}/${name}`, { configure, write, read });
    const ours = "^modelgate\\.";
    await grant("^other", ours, ours);
    expect(await inspectRabbitmq(options)).toMatchObject({
      canConfigure: false,
      problems: [{ step: "configure", field: "username" }],
    });
    await grant(ours, "^other", ours);
    expect(await inspectRabbitmq(options)).toMatchObject({
      canWrite: false,
      problems: [{ step: "write", field: "username" }],
    });
    await grant(ours, `${ours}|^amq\\.default$`, "^other");
    expect(await inspectRabbitmq(options)).toMatchObject({
      canRead: false,
      problems: [{ step: "read", field: "username" }],
    });
    const least = "^(modelgate\\.|amq\\.gen)";
    await grant(least, "^(modelgate\\.|amq\\.(gen|default))", least);
    expect((await inspectRabbitmq(options)).problems).toEqual([]);
    const { queue, wakeups } = openBroker(options);
    wakeups.subscribe("work", () => {});
    await queue.enqueue([entryOf("a"), entryOf("b", { delayMs: 20 })]);
    await wakeups.publish("work", ["m"]);
    expect(await takeIds(queue)).toEqual(["a"]);
    await queue.incarnation();
    await expect.poll(() => takeIds(queue), { timeout: 8_000 }).toEqual(["b"]);
    await queue.close();
    await wakeups.close();
  });
});
