import { EventEmitter } from "eventemitter3";
import { GatewayError } from "../errors.ts";
import type { GatewayEvents } from "../events.ts";

/** Emits so that a listener that throws harms nobody. */
export class SafeEmitter {
  readonly events: EventEmitter<GatewayEvents> = new EventEmitter<GatewayEvents>();

  emit<E extends keyof GatewayEvents>(event: E, ...args: Parameters<GatewayEvents[E]>): void {
    if (this.events.listenerCount(event) === 0) return;
    try {
      // The payload's type was checked by this method's own signature; the emitter's cannot follow it.
      (this.events.emit as (event: string, ...args: unknown[]) => boolean).call(this.events, event, ...args);
    } catch {
      if (event !== "listener:failed") this.emit("listener:failed", { event });
    }
  }

  failed(adapter: string, operation: string, error: unknown): void {
    this.emit("adapter:failed", {
      adapter,
      operation,
      code: GatewayError.is(error) ? error.code : "UNKNOWN",
    });
  }
}
