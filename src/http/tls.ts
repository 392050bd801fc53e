import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { Server } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { Logger } from 'pino';
import { reasonOf } from '../lib/describe-error.ts';
import { OperatorError } from '../lib/operator-error.ts';

/** The paths of PEM files: the certificate with its intermediates, and its private key. */
interface TlsFiles {
  cert: string;
  key: string;
}

interface Pair {
  cert: Buffer;
  key: Buffer;
}

/** How often the files are checked for changes; certificates are renewed every few weeks. */
const LOOK_MS = 60_000;

/** Reads the certificate and its key. Throws an OperatorError if they cannot be used together. */
export function readTls(files: TlsFiles): Pair {
  try {
    const pair = { cert: readFileSync(files.cert), key: readFileSync(files.key) };
    // Both throw for an invalid file, and the second also for the key of another certificate.
    new X509Certificate(pair.cert);
    createSecureContext(pair);
    return pair;
  } catch (error) {
    throw new OperatorError(`TLS_CERT ${files.cert} and TLS_KEY ${files.key} cannot be used: ${reasonOf(error)}.`);
  }
}

/** Loads a renewed certificate without a restart. Returns a function that stops watching the files. */
export function watchTls(files: TlsFiles, server: Server, log: Logger, lookMs = LOOK_MS): () => void {
  const stampOf = () => [files.cert, files.key].map((path) => statSync(path).mtimeMs).join();
  let used = stampOf();
  const timer = setInterval(() => {
    try {
      const stamp = stampOf();
      if (stamp === used) return;
      server.setSecureContext(readTls(files));
      used = stamp;
      log.info('loaded the renewed certificate');
    } catch (error) {
      // Perhaps only one of the two files is renewed so far: the previous pair stays in use until the next check.
      log.error({ reason: reasonOf(error) }, 'could not load the changed certificate or key; still using the old pair');
    }
  }, lookMs);
  return () => clearInterval(timer);
}
