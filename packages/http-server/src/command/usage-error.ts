import { CommandError } from "./command-error.ts";
import { EXIT } from "./exit-codes.ts";

/** The command was called wrongly; the message says how to call it. */
export class UsageError extends CommandError {
  override readonly name: string = "UsageError";

  constructor(message: string) {
    super(EXIT.usage, message);
  }
}
