import type { GatewayErrorCode } from "@modelgate/core";

export type ToChild =
  | {
      readonly type: "call";
      readonly call: number;
      readonly method: string;
      readonly args: readonly unknown[];
    }
  /** An answer to `pull`; without a piece, the body is at its end. */
  | { readonly type: "piece"; readonly call: number; readonly piece: Uint8Array | undefined }
  /** Asks for the next piece of a body that the child has open. */
  | { readonly type: "next"; readonly call: number; readonly body: number };

export type FromChild =
  | { readonly type: "done"; readonly call: number; readonly value: unknown }
  | {
      readonly type: "failed";
      readonly call: number;
      readonly code: GatewayErrorCode | undefined;
      readonly message: string;
    }
  | { readonly type: "pull"; readonly call: number };
