import { GatewayError, type ServerWant } from "@modelgate/core";
import type { OpenLanes } from "@modelgate/core/adapter";
import type { WireExchange, WireWant } from "../wire.ts";

/** Lanes that exactly the same servers of one exchange serve. */
export interface LaneGroup {
  readonly models: readonly string[];
  readonly set: ReadonlySet<string>;
  /** `models` as JSON, made when it is first needed. */
  json?: string;
}

/** The wants of an exchange as the plan is to see them, and what stands behind the names of their lanes. */
export interface GroupedWants {
  readonly wants: readonly ServerWant[];
  readonly groupOf: (models: readonly string[]) => LaneGroup;
}

/** Combinations of long lists that are remembered; each runner has one, which changes when a server comes or goes. */
const REMEMBERED = 32;

/**
 * Knows the long lists of models that were sent before, and how they fall into groups. A server of 10,000 models
 * would otherwise cost 10,000 strings and as many look-ups in each exchange.
 */
export class ModelLists {
  readonly #lists = new Map<number, readonly string[]>();
  readonly #groupings = new Map<string, { names: string[][]; groups: Map<string, LaneGroup> }>();

  learn({ models = [] }: WireExchange): void {
    for (const [number, list] of models) this.#lists.set(number, list);
  }

  forget({ forget = [] }: WireExchange): void {
    for (const number of forget) this.#lists.delete(number);
  }

  /** Puts groups in the place of lanes when a list is long. Groups are the plan's own, only found beforehand. */
  group(wires: readonly WireWant[]): GroupedWants {
    const isLong = wires.some((wire) => typeof wire[4] === "number");
    if (!isLong) {
      const wants = wires.map((wire) => toWant(wire, wire[4] as readonly string[]));
      return { wants, groupOf: (models) => ({ models, set: new Set(models) }) };
    }
    const key = wires
      .map((wire) => (typeof wire[4] === "number" ? wire[4] : JSON.stringify(wire[4])))
      .join(";");
    let grouping = this.#groupings.get(key);
    if (grouping === undefined) {
      grouping = this.#grouping(wires);
      const oldest = this.#groupings.keys().next();
      if (this.#groupings.size >= REMEMBERED && oldest.done !== true) this.#groupings.delete(oldest.value);
    } else this.#groupings.delete(key);
    this.#groupings.set(key, grouping);
    const { names, groups } = grouping;
    return {
      wants: wires.map((wire, index) => toWant(wire, names[index] ?? [])),
      groupOf: (chosen) => merged(chosen.map((name) => groups.get(name) as LaneGroup)),
    };
  }

  #grouping(wires: readonly WireWant[]): { names: string[][]; groups: Map<string, LaneGroup> } {
    const serving = new Map<string, string>();
    wires.forEach((wire, index) => {
      for (const model of new Set(this.#modelsOf(wire)))
        serving.set(model, `${serving.get(model) ?? ""}${index},`);
    });
    const models = new Map<string, string[]>();
    for (const [model, name] of serving) {
      const group = models.get(name);
      if (group === undefined) models.set(name, [model]);
      else group.push(model);
    }
    const names: string[][] = wires.map(() => []);
    const groups = new Map<string, LaneGroup>();
    for (const [name, list] of models) {
      groups.set(name, { models: list, set: new Set(list) });
      for (const index of name.split(",")) if (index !== "") names[Number(index)]?.push(name);
    }
    return { names, groups };
  }

  #modelsOf(wire: WireWant): readonly string[] {
    const models = typeof wire[4] === "number" ? this.#lists.get(wire[4]) : wire[4];
    if (models === undefined)
      throw new GatewayError("ADAPTER_FAILED", "the worker was not told a list of models");
    return models;
  }
}

/** The plan joins groups whose other servers are full. */
function merged(groups: readonly LaneGroup[]): LaneGroup {
  const only = groups[0];
  if (groups.length === 1 && only !== undefined) return only;
  const models = groups.flatMap((group) => group.models);
  return { models, set: new Set(models) };
}

function toWant(
  [server, instance, limit, max, , background, cost]: WireWant,
  models: readonly string[],
): ServerWant {
  return { server, instance: instance ?? undefined, limit, max, models, background: background === 1, cost };
}

/** The cursors of a plan over grouped wants. */
export function openGroups(
  { groupOf }: GroupedWants,
  open: (group: LaneGroup, background: 0 | 1) => ReturnType<OpenLanes>,
): OpenLanes {
  return (models, background) => open(groupOf(models), background ? 1 : 0);
}
