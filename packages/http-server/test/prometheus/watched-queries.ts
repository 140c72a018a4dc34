import { readdirSync, readFileSync } from "node:fs";
import { parse } from "yaml";

const deploy = new URL("../../../../deploy/", import.meta.url);

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly datasource: { readonly uid: string };
  }[];
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
}

export interface Dashboard {
  readonly file: string;
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly definition?: string }[];
  };
}

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

interface RuleTest {
  readonly name: string;
  readonly promql_expr_test: readonly {
    readonly expr: string;
    readonly exp_samples: readonly { readonly value: number }[];
  }[];
}

/** A query, and where somebody who has to mend it finds it. */
export type NamedQuery = readonly [where: string, query: string];

export function readDashboards(): readonly Dashboard[] {
  const folder = new URL("grafana/", deploy);
  return readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .map((file) => ({ file, ...JSON.parse(readFileSync(new URL(file, folder), "utf8")) }) as Dashboard);
}

export function readAlerts(): readonly AlertRule[] {
  const { groups } = parse(readFileSync(new URL("prometheus/alerts.yml", deploy), "utf8")) as {
    readonly groups: readonly { readonly rules: readonly AlertRule[] }[];
  };
  return groups.flatMap(({ rules }) => rules);
}

export function readRuleTests(): readonly RuleTest[] {
  const text = readFileSync(new URL("prometheus/alerts.test.yml", deploy), "utf8");
  return (parse(text) as { readonly tests: readonly RuleTest[] }).tests;
}

/** The queries of all panels and variables, as Grafana would send them for everything. */
export function queriesOf({ file, panels, templating }: Dashboard): readonly NamedQuery[] {
  const ofPanels = panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ refId, expr }): NamedQuery => [`${file}: ${title} (${refId})`, filled(expr)]),
  );
  const ofVariables = templating.list.flatMap(({ name, definition = "" }): NamedQuery[] => {
    const [, selector = ""] = /^label_values\((.+), \w+\)$/.exec(definition) ?? [];
    return selector === "" ? [] : [[`${file}: the variable ${name}`, selector]];
  });
  return [...ofPanels, ...ofVariables];
}

/** A range has to hold two scrapes, which come a second apart. */
function filled(expr: string): string {
  return expr.replaceAll("$__rate_interval", "5s").replaceAll(/\$(instance|model)\b/g, ".*");
}

/** Names of metrics; what PromQL has of its own is in lower case, too, and has no such beginnings. */
export function metricsIn(expr: string): readonly string[] {
  return [...expr.matchAll(/\b(?:modelgate|gateway|scheduler|ripper|nodejs|process)_\w+/g)].map(
    ([name]) => name,
  );
}
