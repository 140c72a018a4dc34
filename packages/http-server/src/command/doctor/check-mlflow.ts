import { GatewayError } from "@modelgate/core";
import { openTracking } from "../open-tracking.ts";
import { printable } from "../output/printable.ts";
import type { Settings } from "../settings/settings.ts";
import { shownAddress } from "../settings/shown-address.ts";
import { type Finding, fail, ok } from "./finding.ts";

const CHECK = "MLflow";

/** Asks the tracker for what nobody has, as it is asked what became of a training. Throws `CommandError`. */
export async function checkMlflow(settings: Settings): Promise<Finding[]> {
  const tracking = await openTracking(settings);
  if (tracking === undefined) return [];
  const at = printable(shownAddress(settings["mlflow.url"] ?? ""));
  const beganMs = performance.now();
  try {
    await tracking.findRuns({ name: "modelgate-doctor", limit: 1 });
    return [ok(CHECK, `answers at ${at} in ${Math.round(performance.now() - beganMs)} ms`)];
  } catch (error) {
    if (!GatewayError.is(error)) throw error;
    const text = `at ${at}: ${printable(error.message)}`;
    return [fail(CHECK, text, "mend what is named, or start it; trainings go on meanwhile")];
  } finally {
    await tracking.close();
  }
}
