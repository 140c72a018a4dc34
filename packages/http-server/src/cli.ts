#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { main } from "./command/main.ts";

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};

process.exit(await main({ args: process.argv.slice(2), environment: process.env, version }));
