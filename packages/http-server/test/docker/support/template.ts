import type { ServerSpec, TemplateRequest } from "@modelgate/core";

/** The value of A_VALUE, whose name does not say that no log may show it; a server with PRINT_SECRET has it. */
export const SECRET = "s3cret-marker-of-this-test";

/**
 * Makes the specs of the tests' servers. What a test wants of one stands in the model's address: `test:/?PROCESS_MS=50`
 * sets the server's switches; `image` and `slots` are for this template. The address itself, whatever it holds, becomes
 * an argument, a variable and a label.
 */
export function templateOf(image: string): (request: TemplateRequest) => ServerSpec {
  return ({ model, modelUri = "", modelType = "medcat_umls", demands }) => {
    const wishes = new URLSearchParams(/^test:\/\?(.*)$/s.exec(modelUri)?.[1] ?? "");
    const take = (name: string): string | undefined => {
      const value = wishes.get(name) ?? undefined;
      wishes.delete(name);
      return value;
    };
    const [otherImage, slots] = [take("image"), take("slots")];
    const hasSecret = wishes.has("PRINT_SECRET");
    const isKnown = otherImage === undefined || otherImage === image;
    return {
      image: otherImage ?? image,
      // The program is said only where it is known to be in the image.
      ...(isKnown && {
        command: [
          ...["/usr/bin/node", "/app/test-server.mjs", "--model-type", modelType],
          ...["--model-name", model, "--mlflow-model-uri", modelUri],
        ],
      }),
      env: {
        ...{ CMS_MODEL_NAME: model, MODEL_URI: modelUri },
        ...Object.fromEntries(wishes),
        ...(hasSecret && { A_VALUE: SECRET }),
      },
      port: 8000,
      secretEnv: ["A_VALUE"],
      labels: { "modelgate.slots": slots ?? "4", "people.uri": modelUri },
      ...demands,
    };
  };
}
