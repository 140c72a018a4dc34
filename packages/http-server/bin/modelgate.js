#!/usr/bin/env node
// npm links a command when it installs a package, and in a fresh checkout `dist` comes later; this file is there.
import "../dist/cli.js";
