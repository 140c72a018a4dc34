import { type CommandLine, help, parseCommandLine } from "./command-line.ts";
import { createNlpServer } from "./server.ts";

function read(): CommandLine {
  try {
    return parseCommandLine(process.argv.slice(2), process.env);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(2);
  }
}

async function main(): Promise<void> {
  const { port, host, help: wantsHelp, options } = read();
  if (wantsHelp) {
    process.stdout.write(help);
    return;
  }
  const server = createNlpServer(options);
  const stop = (): void => {
    server.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  const { url } = await server.listen(port, host);
  process.stdout.write(`${JSON.stringify({ event: "listening", url, model: options.modelName })}\n`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
});
