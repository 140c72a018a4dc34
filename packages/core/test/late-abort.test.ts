import { describe, expect, it, vi } from "vitest";
import { abortOf, LateAbort } from "../src/late-abort.ts";

describe("a late abort", () => {
  it("makes a signal that is aborted with its reason, whichever came first", () => {
    const reason = new Error("stop");
    const before = new LateAbort();
    const { signal } = before;
    before.abort(reason);
    const after = new LateAbort();
    after.abort(reason);
    for (const seen of [signal, after.signal]) {
      expect(seen).toBeInstanceOf(AbortSignal);
      expect(seen.aborted).toBe(true);
      expect(seen.reason).toBe(reason);
    }
  });

  it("calls back once, unless the listening was ended, and keeps the first reason", () => {
    const abort = new LateAbort();
    const [heard, left] = [vi.fn(), vi.fn()];
    abort.onAbort(heard);
    abort.onAbort(left)();
    abort.abort("first");
    abort.abort("second");
    expect(heard).toHaveBeenCalledTimes(1);
    expect(left).not.toHaveBeenCalled();
    expect(abort.reason).toBe("first");
  });

  it("reaches a protocol that copies its options, by the signal and without one", () => {
    const abort = new LateAbort();
    const copy = { ...abort.options() };
    const heard = vi.fn();
    abortOf(copy)?.onAbort(heard);
    abort.abort("stop");
    expect(copy.signal?.aborted).toBe(true);
    expect(heard).toHaveBeenCalledTimes(1);
  });

  it("is told from a plain signal as well", () => {
    const controller = new AbortController();
    const source = abortOf({ signal: controller.signal });
    const [heard, left] = [vi.fn(), vi.fn()];
    source?.onAbort(heard);
    source?.onAbort(left)();
    controller.abort("stop");
    expect([source?.aborted, source?.reason]).toEqual([true, "stop"]);
    expect(heard).toHaveBeenCalledTimes(1);
    expect(left).not.toHaveBeenCalled();
    expect(abortOf({})).toBeUndefined();
  });
});
