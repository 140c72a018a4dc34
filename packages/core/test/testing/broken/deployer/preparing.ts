import type { PrepareProgress } from "../../../../src/contracts/deployer.ts";
import { GatewayError } from "../../../../src/errors.ts";
import { type DeployerFault, planted, plantedForAll, unless } from "./tools.ts";

export const preparing: readonly DeployerFault[] = [
  planted(
    "has one answer for all that goes wrong",
    "an image that is nowhere rejects with IMAGE_MISSING, and nothing is made",
    (good) => ({
      create: (...call) =>
        unless("IMAGE_MISSING", good.create(...call), () => {
          throw new GatewayError("DEPLOYER_REFUSED", "no");
        }),
    }),
  ),
  planted(
    "tells nothing of an image that is here",
    "prepare tells how far it is, and that it is ready in the end",
    (good) => ({
      async prepare(spec, identity, options = {}) {
        const told: PrepareProgress[] = [];
        const onProgress = (progress: PrepareProgress): void => {
          told.push(progress);
          if (told.length > 1) for (const each of told.splice(0)) options.onProgress?.(each);
        };
        await good.prepare(spec, identity, { ...options, onProgress });
        if (told[0] !== undefined && spec.image !== "server") options.onProgress?.(told[0]);
      },
    }),
  ),
  planted("tells once more that it is ready", "prepare tells nothing more when it has resolved", (good) => ({
    async prepare(spec, identity, options) {
      await good.prepare(spec, identity, options);
      setTimeout(() => options?.onProgress?.({ phase: "ready" }), 20);
    },
  })),
  planted("forgets what it pulled", "an image that was prepared can be run", (good) => ({
    async create(spec, ...call) {
      if (spec.image.startsWith("pulled") && spec.pull === "never") {
        throw new GatewayError("IMAGE_MISSING", "it is not there");
      }
      return await good.create(spec, ...call);
    },
  })),
  plantedForAll(
    "pulls for each who asks",
    "those who prepare one image at once share one pull, and all are told that it is ready",
    () => {
      const last = new Map<string, Promise<void>>();
      return (good) => ({
        async prepare(spec, ...call) {
          const before = last.get(spec.image);
          const mine = good.prepare(spec, ...call);
          last.set(
            spec.image,
            mine.finally(() => last.delete(spec.image)).catch(() => {}),
          );
          await mine;
          if (before === undefined) return;
          await before;
          // A moment in which nobody else's pull goes on.
          await new Promise((resolve) => setTimeout(resolve, 30));
          const [identity] = call;
          await good.prepare({ ...spec, pull: "always" }, identity, { onProgress: call[1]?.onProgress });
        },
      });
    },
  ),
  plantedForAll(
    "stops the pull when one gives up",
    "who gives up preparing does not stop the pull for the others",
    () => {
      const others = new Set<(reason: unknown) => void>();
      return (good) => ({
        async prepare(spec, identity, options = {}) {
          let stop = (_reason: unknown): void => {};
          const stopped = new Promise<never>((_resolve, reject) => {
            stop = reject;
          });
          others.add(stop);
          try {
            await Promise.race([good.prepare(spec, identity, options), stopped]);
          } catch (error) {
            if (options.signal?.aborted) for (const other of others) other(new Error("the pull was stopped"));
            throw error;
          } finally {
            others.delete(stop);
          }
        },
      });
    },
  ),
  planted(
    "never pulls what is here",
    "an image that is here is not pulled, unless it is asked for",
    (good) => ({
      prepare: (spec, ...call) =>
        good.prepare(spec.pull === "always" ? { ...spec, pull: "missing" } : spec, ...call),
    }),
  ),
];
