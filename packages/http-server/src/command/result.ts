import { connect } from "./client/connect.ts";
import { fetchResult } from "./client/fetch-result.ts";
import type { Call } from "./command-spec.ts";
import { EXIT } from "./exit-codes.ts";
import { endWithReader, tell } from "./output/out.ts";

export async function result({ arguments: [id = ""], options, settings }: Call): Promise<number> {
  endWithReader();
  const client = await connect(settings);
  const state = await fetchResult(client, { id, file: options.get("output") });
  if (state === "succeeded") return EXIT.ok;
  tell("The task failed; this is what the model server answered.");
  return EXIT.failed;
}
