#!/usr/bin/env node
// The command line under whatever Node is at hand. Its TypeScript runs on the Node that comes with the packages: where
// that is another one, it is started with the same arguments and streams, gets the signals that ask for an end, and its
// exit status is ours. A container has one Node and no package of it; that one goes on by itself.
import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const PROGRAM = '../src/cli/main.ts';
const LAUNCHED_PROGRAM = fileURLToPath(new URL('../src/cli/launched.ts', import.meta.url));
/** Those that `slotkeeper start` takes for a wish to stop in order. */
const FORWARDED = ['SIGINT', 'SIGTERM'];
/** Older ones do not run TypeScript as it is, or not all of what the sources use. */
const OLDEST_MAJOR = 24;

/** The path of the Node among the packages, of which npm installs the one for this machine; null where there is none. */
function findPackagedNode() {
  for (const name of Object.keys(require('../package.json').optionalDependencies)) {
    try {
      const manifest = require.resolve(`${name}/package.json`);
      return realpathSync(join(dirname(manifest), require(manifest).bin.node));
    } catch {
      // For another machine.
    }
  }
  return null;
}

/**
 * Signals go by message: of one that a terminal sends, the whole group gets its own copy, and the server must not take the
 * two for a second Ctrl-C. The channel closes when this process is killed, which ends the server as well.
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
else fail(`Node must be ${OLDEST_MAJOR} or newer, got ${process.versions.node}: run npm ci to install the packaged one.`);
