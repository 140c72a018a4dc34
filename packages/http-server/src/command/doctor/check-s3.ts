import type { S3Inspection } from "@modelgate/adapters-storage/s3";
import { printable } from "../output/printable.ts";
import { whereToGive } from "../settings/names.ts";
import type { Settings } from "../settings/settings.ts";
import { s3Options } from "../stores/s3-options.ts";
import { optionKey } from "../stores/store-failure.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const CHECK = "S3";
const WHAT = {
  list: "objects cannot be listed",
  put: "no object can be written",
  get: "no object can be read",
  parts: "no large object can be written",
  delete: "no object can be deleted",
} as const;
/** Requests are refused from 15 minutes on; a clock that differs by less still says that nobody keeps it. */
const TOLERATED_MS = 60_000;

/** Tries what the object store needs. Throws `CommandError` for a file that cannot be read. */
export async function checkS3(settings: Settings): Promise<Finding[]> {
  const { inspectS3 } = await import("@modelgate/adapters-storage/s3");
  return s3Findings(await inspectS3(s3Options(settings)), settings);
}

/** What an inspection says to whoever runs the gateway. */
export function s3Findings(seen: S3Inspection, settings: Settings): Finding[] {
  const at = hostOf(settings);
  const faults = faultsOf(seen, settings);
  if (!seen.isReached) return faults;
  return [
    ok(CHECK, `${printable(seen.server ?? "a server")} answers at ${at} in ${seen.answerMs} ms`),
    ...faults,
    ...(faults.length === 0 ? [ok(CHECK, "an object was written, listed, read and deleted")] : []),
    ...clockFindings(seen),
    ...versioningFindings(seen),
  ];
}

function hostOf(settings: Settings): string {
  return new URL(settings["s3.endpoint"] ?? "http://nowhere").host;
}

/** Each right that is missing, or the one fault that hides all of them. */
function faultsOf({ problems, ...seen }: S3Inspection, settings: Settings): Finding[] {
  const bucket = settings["s3.bucket"];
  if (!seen.isReached || seen.areKeysAccepted === false || seen.isBucketThere === false) {
    const [first] = problems;
    const text = first === undefined ? "nothing answers" : printable(first.message);
    return [fail(CHECK, `at ${hostOf(settings)}: ${text}`, hintOf(first?.field, seen.isReached))];
  }
  const rights = [
    ["list", seen.canList, "s3:ListBucket"],
    ["put", seen.canPut, "s3:PutObject"],
    ["get", seen.canGet, "s3:GetObject"],
    ["parts", seen.canUploadParts, "s3:PutObject and s3:AbortMultipartUpload"],
    ["delete", seen.canDelete, "s3:DeleteObject"],
  ] as const;
  return rights.flatMap(([step, isGiven, right]) => {
    const problem = problems.find((each) => each.step === step);
    // What was not tried, because what it needs failed before, says nothing.
    if (isGiven !== false || problem === undefined) return [];
    const hint =
      problem.field === undefined || problem.field === "accessKey"
        ? `give the owner of ${whereToGive("s3.accessKey")} the right ${right} on ${bucket}/${settings["s3.prefix"]}*`
        : hintOf(problem.field, true);
    return [fail(CHECK, `at ${hostOf(settings)}: ${WHAT[step]} (${printable(problem.message)})`, hint)];
  });
}

function hintOf(field: string | undefined, isReached: boolean): string {
  const key = field === undefined ? undefined : optionKey("s3", field);
  if (key !== undefined) return `mend ${whereToGive(key)}`;
  return isReached ? "look at the log of the S3 service" : `start it, or mend ${whereToGive("s3.endpoint")}`;
}

function clockFindings({ clockDifferenceMs }: S3Inspection): Finding[] {
  if (clockDifferenceMs === undefined || Math.abs(clockDifferenceMs) <= TOLERATED_MS) return [];
  const text = `its clock and that of this machine differ by ${Math.round(clockDifferenceMs / 1000)} s`;
  return [warn(CHECK, text, "set the clocks, and keep them by NTP; from 15 minutes on it refuses requests")];
}

function versioningFindings({ versioning }: S3Inspection): Finding[] {
  if (versioning !== "enabled") return [];
  const text = "the bucket keeps older versions, so that nothing that is deleted frees room or is gone";
  return [warn(CHECK, text, "switch versioning off, or let a lifecycle rule remove older versions")];
}
