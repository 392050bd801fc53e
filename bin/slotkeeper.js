#!/usr/bin/env node
// The command line, under any installed Node. Its TypeScript runs on the Node among the npm packages: if that is
// another Node than this one, it is started with the same arguments and streams, gets our termination signals, and its
// exit status becomes ours. A container has one Node and no package of it, so that Node runs the program itself.
import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const PROGRAM = '../src/cli/main.ts';
const LAUNCHED_PROGRAM = fileURLToPath(new URL('../src/cli/launched.ts', import.meta.url));
/** The signals on which `slotkeeper start` stops in an orderly way. */
const FORWARDED = ['SIGINT', 'SIGTERM'];
/** Older versions cannot run the TypeScript sources, or lack a feature that these use. */
const OLDEST_MAJOR = 24;

/** The path of the Node among the npm packages; null if there is none. npm installs only the one for this machine. */
function findPackagedNode() {
  for (const name of Object.keys(require('../package.json').optionalDependencies)) {
    try {
      const manifest = require.resolve(`${name}/package.json`);
      return realpathSync(join(dirname(manifest), require(manifest).bin.node));
    } catch {
      // Not for this machine, so not installed.
    }
  }
  return null;
}

/**
 * Signals are forwarded as messages: a terminal sends its signal to the whole process group, and the server must not
 * mistake that copy and a forwarded signal for two Ctrl-C. If this process is killed, the channel closes and the server
 * stops.
 */
function launch(node) {
  const child = spawn(node, [LAUNCHED_PROGRAM, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  for (const signal of FORWARDED) process.on(signal, () => child.connected && child.send({ signal }));
  child.on('error', (error) => fail(`Cannot start Node: ${error.message}.`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

const packagedNode = findPackagedNode();
if (packagedNode !== null && packagedNode !== realpathSync(process.execPath)) launch(packagedNode);
else if (Number.parseInt(process.versions.node, 10) >= OLDEST_MAJOR) await import(PROGRAM);
else
  fail(`Node must be ${OLDEST_MAJOR} or newer, got ${process.versions.node}: run npm ci to install the packaged one.`);
