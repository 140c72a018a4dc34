import { describe, expect, it } from "vitest";
import { missingFaults } from "./happened.ts";
import { type PlanOptions, planChaos } from "./plan.ts";
import { Recorder } from "./recorder.ts";

const OPTIONS: PlanOptions = {
  seed: 7,
  chaosMs: 60_000,
  leaseMs: 2_000,
  processes: ["gateway-1", "gateway-2", "scheduler-1"],
  models: ["model-1"],
  services: ["postgres", "s3", "rabbitmq"],
  brokers: [{ name: "rabbitmq", faults: ["purge", "delete-queues", "memory-alarm", "split"] }],
  links: ["postgres:gateway-1", "s3:scheduler-1"],
  kills: 8,
  pauses: 2,
  outages: 1,
  outageMs: [2_000, 5_000],
  linkFaults: 10,
  brokerFaults: 5,
  modelKills: 3,
};

describe("the plan of a chaos run", () => {
  it("is the same for the same seed, and another for another", () => {
    expect(planChaos(OPTIONS)).toEqual(planChaos({ ...OPTIONS }));
    expect(planChaos(OPTIONS)).not.toEqual(planChaos({ ...OPTIONS, seed: 8 }));
  });

  it("holds as many faults of each kind as were asked for, in the order of time", () => {
    const plan = planChaos(OPTIONS);
    const count = (kind: string): number => plan.filter(({ fault }) => fault.kind === kind).length;
    expect([count("kill"), count("pause"), count("outage")]).toEqual([8, 2, 3]);
    expect([count("purge"), count("delete-queues"), count("memory-alarm")]).toEqual([5, 5, 5]);
    expect(count("model-kill") + count("model-dies-answering")).toBe(3);
    expect(plan.map(({ atMs }) => atMs)).toEqual(plan.map(({ atMs }) => atMs).sort((a, b) => a - b));
    expect(plan.every(({ atMs }) => atMs >= 0 && atMs < 60_000)).toBe(true);
  });

  it("never splits all processes off a broker, nor none", () => {
    const sizes = planChaos({ ...OPTIONS, brokerFaults: 50 }).flatMap(({ fault }) =>
      fault.kind === "split" ? [fault.targets.length] : [],
    );
    expect(new Set(sizes)).toEqual(new Set([1, 2]));
  });

  it("leaves the other kinds as they are when there is more of one", () => {
    const pausesOf = (kills: number): unknown =>
      planChaos({ ...OPTIONS, kills }).filter(({ fault }) => fault.kind === "pause");
    expect(pausesOf(80)).toEqual(pausesOf(8));
  });
});

describe("a run whose faults did not happen", () => {
  it("is found out", () => {
    const recorder = new Recorder(() => {});
    expect(missingFaults(planChaos(OPTIONS), recorder)).toContain("8 kills were planned, 0 happened");
    expect(missingFaults(planChaos(OPTIONS), recorder)).toContain("5 purges were planned, 0 happened");
    expect(missingFaults([], recorder)).toEqual(["no fault was planned"]);
  });

  it("is found out where brokers lost nothing, as nothing waited", () => {
    const recorder = new Recorder(() => {});
    const purges = planChaos(OPTIONS).filter(({ fault }) => fault.kind === "purge");
    recorder.count("purges", purges.length);
    expect(missingFaults(purges, recorder)).toEqual([
      "5 losses of brokers were planned, and none met an entry",
    ]);
    recorder.count("entries lost", 1);
    expect(missingFaults(purges, recorder)).toEqual([]);
  });

  it("is not found where all of them did", () => {
    const recorder = new Recorder(() => {});
    recorder.count("kills", 8);
    const kills = planChaos(OPTIONS).filter(({ fault }) => fault.kind === "kill");
    expect(missingFaults(kills, recorder)).toEqual([]);
  });
});
